import { queryOptions } from "@tanstack/react-query";

import { HOME } from "../api/clients";
import { readFigures, type Figures } from "../format/prometheus";

/** Looks at the server's figures, as long as they are shown. */
const LOOK_MS = 2_000;
export const LOOKS_MAX = 90;

export interface Look {
  atMs: number;
  figures: Figures;
}

/** The server's figures, with those of the looks before: three minutes of them. */
export const figuresQuery = queryOptions({
  queryKey: ["figures"],
  queryFn: async ({ signal, client }): Promise<Look[]> => {
    const answer = await fetch(new URL("metrics", HOME), { signal });
    if (!answer.ok) throw new Error(`The server does not give its figures here (${answer.status}).`);
    const look = { atMs: performance.now(), figures: readFigures(await answer.text()) };
    return [...(client.getQueryData<Look[]>(["figures"]) ?? []), look].slice(-LOOKS_MAX);
  },
  refetchInterval: LOOK_MS,
  retry: false,
  staleTime: 0,
  structuralSharing: false,
});

/** The server's version. */
export const versionQuery = queryOptions({
  queryKey: ["version"],
  queryFn: async ({ signal }) => {
    const answer = await fetch(new URL("api/stepwell/v1/server", HOME), { signal });
    return (await answer.json()) as Record<string, unknown>;
  },
  staleTime: 60_000,
});
