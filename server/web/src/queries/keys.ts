import { queryOptions } from "@tanstack/react-query";

import { searchService } from "../api/clients";
import { ViewType } from "../gen/stepwell_api/v1/runs_pb";
import type { KeyRuns } from "../gen/stepwell_api/v1/search_pb";

const KEYS_MAX = 10_000;
const FRESH_MS = 10_000;

/** Tags and metrics of the system are nothing that anybody looks for first. */
const OWN_TAG = /^(mlflow|stepwell)\./;
const SYSTEM_METRIC = /^system\//;

/** The params, metrics and tags of runs, in natural order. */
export interface Keys {
  params: string[];
  metrics: string[];
  tags: string[];
}

export const NO_KEYS: Keys = { params: [], metrics: [], tags: [] };

/** Keys of the latest runs of experiments: what may be a column, a chart, or named in a filter. */
export function keysQuery(experimentIds: bigint[], deleted: boolean) {
  return queryOptions({
    queryKey: ["keys", experimentIds.map(String), deleted],
    queryFn: async ({ signal }): Promise<Keys> => {
      const viewType = deleted ? ViewType.DELETED_ONLY : ViewType.ACTIVE_ONLY;
      const found = await searchService.listKeys({ experimentIds, viewType, limit: KEYS_MAX }, { signal });
      return {
        params: inOrder(found.params),
        metrics: inOrder(found.metrics, SYSTEM_METRIC),
        tags: inOrder(found.tags, OWN_TAG),
      };
    },
    refetchInterval: FRESH_MS,
    structuralSharing: true,
  });
}

/** How many runs a filter finds. */
export function countQuery(experimentIds: bigint[], filter: string, deleted: boolean) {
  return queryOptions({
    queryKey: ["count", experimentIds.map(String), filter, deleted],
    queryFn: ({ signal }) =>
      searchService.countRuns(
        {
          experimentIds,
          filter,
          viewType: deleted ? ViewType.DELETED_ONLY : ViewType.ACTIVE_ONLY,
        },
        { signal },
      ),
    select: (answer) => answer.runs,
    refetchInterval: FRESH_MS,
  });
}

function inOrder(keys: KeyRuns[], last?: RegExp): string[] {
  const order = new Intl.Collator("en", { numeric: true }).compare;
  const rank = (key: string) => Number(last?.test(key) ?? false);
  return keys.map(({ key }) => key).sort((a, b) => rank(a) - rank(b) || order(a, b));
}
