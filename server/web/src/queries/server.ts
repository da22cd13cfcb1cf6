import { queryOptions } from "@tanstack/react-query";

import { HOME } from "../api/clients";

/** How often the page looks whether the server is there. */
const LOOK_MS = 5_000;
/** So long a server may take to answer that: one that hangs is not there, nor one behind a connection that is dead. */
const ANSWER_MS = 10_000;

/** Whether the server answers; the page says so when it does not, and goes on when it does again. */
export const healthQuery = queryOptions({
  queryKey: ["health"],
  queryFn: async ({ signal }) => {
    const answer = await fetch(new URL("health", HOME), {
      signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]),
    });
    if (!answer.ok) throw new TypeError(`The server answers ${answer.status}.`);
    return true;
  },
  refetchInterval: LOOK_MS,
  retry: false,
});
