import { infiniteQueryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import { runService, searchService } from "../api/clients";
import { ViewType } from "../gen/stepwell_api/v1/runs_pb";

const PAGE_SIZE = 100;
const FRESH_MS = 5_000;

export interface RunSearch {
  experimentIds: bigint[];
  filter: string;
  deleted: boolean;
  orderBy: string[];
}

/** Pages of runs with their params, tags and latest metrics. */
export function runsQuery(search: RunSearch) {
  const { experimentIds, filter, deleted, orderBy } = search;
  return infiniteQueryOptions({
    queryKey: ["runs", experimentIds.map(String), filter, deleted, orderBy],
    queryFn: ({ pageParam, signal }) =>
      searchService.searchRuns(
        {
          experimentIds,
          filter,
          viewType: deleted ? ViewType.DELETED_ONLY : ViewType.ACTIVE_ONLY,
          orderBy,
          pageSize: PAGE_SIZE,
          pageToken: pageParam,
        },
        { signal },
      ),
    initialPageParam: "",
    getNextPageParam: (page) => page.nextPageToken || undefined,
    refetchInterval: FRESH_MS,
    placeholderData: (before) => before,
  });
}

/** Delete and restore runs; the lists are stale then. */
export function useRunChanges() {
  const client = useQueryClient();
  const onSettled = () =>
    Promise.all([client.invalidateQueries({ queryKey: ["runs"] }), client.invalidateQueries({ queryKey: ["run"] })]);
  return {
    remove: useMutation({
      mutationFn: (runIds: string[]) => Promise.all(runIds.map((runId) => runService.deleteRun({ runId }))),
      onSettled,
    }),
    restore: useMutation({
      mutationFn: (runIds: string[]) => Promise.all(runIds.map((runId) => runService.restoreRun({ runId }))),
      onSettled,
    }),
  };
}
