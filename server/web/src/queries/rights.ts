import { queryOptions } from "@tanstack/react-query";

import { askJson } from "../api/json";

const PATH = "api/stepwell/v1/session/rights";
const FRESH_MS = 30_000;
const AGAIN_MS = 5_000;

/** What somebody may do with an experiment or a registered model; each includes those before it. */
export const NONE = 0;
export const READ = 1;
export const WRITE = 2;
export const MANAGE = 3;

export interface Rights {
  /** By the number of the experiment. */
  experiments: Record<string, number>;
  /** By the name of the registered model. */
  models: Record<string, number>;
}

/** What whoever is signed in may do with some experiments and registered models. */
export function rightsQuery(experimentIds: string[], models: string[]) {
  return queryOptions({
    queryKey: ["rights", experimentIds, models],
    queryFn: async ({ signal }) => {
      const named = [...experimentIds.map((id) => ["experiment", id]), ...models.map((name) => ["model", name])];
      return (await askJson(`${PATH}?${new URLSearchParams(named)}`, "GET", undefined, signal)) as Rights;
    },
    staleTime: FRESH_MS,
    // Nothing shows that it failed: less is offered than one may.
    refetchInterval: ({ state }) => (state.status === "error" ? AGAIN_MS : false),
    placeholderData: (before) => before,
  });
}
