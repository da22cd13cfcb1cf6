import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";

import { runService, searchService } from "../api/clients";
import { ViewType } from "../gen/stepwell_api/v1/runs_pb";

const PAGE_SIZE = 100;
const FRESH_MS = 5_000;

export interface RunSearch {
  experimentIds: bigint[];
  filter: string;
  deleted: boolean;
  orderBy: string[];
  params: string[];
  metrics: string[];
  tags: string[];
}

/** Pages of runs with the chosen params, metrics and tags alone. */
export function runsQuery(search: RunSearch) {
  const { experimentIds, filter, deleted, orderBy, params, metrics, tags } = search;
  return infiniteQueryOptions({
    queryKey: ["runs", experimentIds.map(String), filter, deleted, orderBy, params, metrics, tags],
    queryFn: ({ pageParam, signal }) =>
      searchService.searchRuns(
        {
          experimentIds,
          filter,
          viewType: deleted ? ViewType.DELETED_ONLY : ViewType.ACTIVE_ONLY,
          orderBy,
          pageSize: PAGE_SIZE,
          pageToken: pageParam,
          params: { key: params },
          metrics: { key: metrics },
          tags: { key: tags },
        },
        { signal },
      ),
    initialPageParam: "",
    getNextPageParam: (page) => page.nextPageToken || undefined,
    refetchInterval: FRESH_MS,
    placeholderData: (before) => before,
  });
}

/** One run with all that it logged, of metrics the latest points. */
export function runQuery(runId: string) {
  return queryOptions({
    queryKey: ["run", runId],
    queryFn: ({ signal }) => runService.getRun({ runId }, { signal }),
    select: (answer) => answer.run,
    refetchInterval: FRESH_MS,
  });
}
