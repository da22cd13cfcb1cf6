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
  params: string[];
  metrics: string[];
  tags: string[];
}

/** Pages of runs with the chosen params, metrics and tags alone, however many there are. */
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
