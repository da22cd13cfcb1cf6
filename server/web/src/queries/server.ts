import { queryOptions, type Query } from "@tanstack/react-query";

import { HOME } from "../api/clients";

/** How often the page looks whether the server is there. */
const LOOK_MS = 5_000;
/** So long a server may take to answer that: one that hangs is not there, nor one behind a connection that is dead. */
const ANSWER_MS = 10_000;

/** Whether the server answers; the page says so when it does not, and goes on when it does again. */
export const healthQuery = queryOptions({
  queryKey: ["health"],
  queryFn: async ({ signal, client }) => {
    const late = AbortSignal.timeout(ANSWER_MS);
    const asked = fetch(new URL("health", HOME), { signal: AbortSignal.any([signal, late]) });
    const answer = await asked.catch(async (error: unknown) => {
      // A browser has six connections for a server. What hangs and is known already gives way to the next look.
      if (late.aborted) await client.cancelQueries({ predicate: isKnown });
      throw error;
    });
    if (!answer.ok) throw new TypeError(`The server answers ${answer.status}.`);
    return true;
  },
  refetchInterval: LOOK_MS,
  retry: false,
});

function isKnown({ queryKey, state }: Query): boolean {
  return queryKey[0] !== "health" && state.data !== undefined;
}
