import { HOME, OWN_PAGE } from "./clients";
import { Refusal } from "./failures";

/** Ask a route that speaks JSON; a refusal is thrown. */
export async function askJson(path: string, method = "GET", body?: unknown, signal?: AbortSignal): Promise<unknown> {
  const answer = await fetch(new URL(path, HOME), {
    method,
    signal,
    headers: { ...OWN_PAGE, ...(body === undefined ? {} : { "content-type": "application/json" }) },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (!answer.ok) throw await refusalOf(answer);
  return answer.status === 204 ? null : await answer.json();
}

/** What an answer that is no good says. */
export async function refusalOf(answer: Response): Promise<Refusal> {
  const said: unknown = await answer.json().catch(() => null);
  const message = said && typeof said === "object" && "message" in said ? String(said.message) : "";
  return new Refusal(answer.status, message || `The server answers ${answer.status}.`);
}
