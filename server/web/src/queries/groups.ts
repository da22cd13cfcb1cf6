import { queryOptions } from "@tanstack/react-query";

import { searchService } from "../api/clients";
import { ViewType } from "../gen/stepwell_api/v1/runs_pb";
import type { Scope } from "./values";

const FRESH_MS = 10_000;
// The server tells mean and spread of as many.
const METRICS_MAX = 50;

/** Runs in groups of equal params, tags or data sets, with mean and spread of metrics; those of most runs first. */
export function groupsQuery({ experimentIds, deleted }: Scope, filter: string, by: string[], metrics: string[]) {
  return queryOptions({
    queryKey: ["groups", experimentIds.map(String), deleted, filter, by, metrics],
    queryFn: ({ signal }) =>
      searchService.groupRuns(
        {
          experimentIds,
          filter,
          viewType: deleted ? ViewType.DELETED_ONLY : ViewType.ACTIVE_ONLY,
          by,
          metrics: metrics.slice(0, METRICS_MAX),
        },
        { signal },
      ),
    enabled: by.length > 0,
    refetchInterval: FRESH_MS,
    placeholderData: (before, query) => (query?.queryKey[2] === deleted ? before : undefined),
  });
}
