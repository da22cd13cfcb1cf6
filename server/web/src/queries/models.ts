import { infiniteQueryOptions, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import { searchService } from "../api/clients";
import { loggedModelService } from "../api/modelClients";
import { ViewType } from "../gen/stepwell_api/v1/runs_pb";

const PAGE_SIZE = 100;
const FRESH_MS = 5_000;

/** One logged model: its files may be on their way, and it may be measured long after. */
export function modelQuery(modelId: string) {
  return queryOptions({
    queryKey: ["model", modelId],
    queryFn: ({ signal }) => loggedModelService.getLoggedModel({ modelId }, { signal }),
    select: (answer) => answer.model,
    refetchInterval: FRESH_MS,
  });
}

export interface ModelOrder {
  field: string;
  descending: boolean;
}

/** The models of an experiment, a page at a time, the newest first unless ordered. */
export function modelsQuery(experimentId: bigint, filter: string, order: ModelOrder | null) {
  return infiniteQueryOptions({
    queryKey: ["models", String(experimentId), filter, order],
    queryFn: ({ pageParam, signal }) =>
      loggedModelService.searchLoggedModels(
        {
          experimentIds: [experimentId],
          filter,
          orderBy: order ? [order] : [],
          pageSize: PAGE_SIZE,
          pageToken: pageParam,
        },
        { signal },
      ),
    initialPageParam: "",
    getNextPageParam: (page) => page.nextPageToken || undefined,
    select: ({ pages }) => pages.flatMap(({ models }) => models),
    refetchInterval: FRESH_MS,
    placeholderData: (before) => before,
  });
}

/** The names of runs of an experiment by their ids. */
export function runNamesQuery(experimentId: bigint, runIds: string[]) {
  const wanted = [...new Set(runIds)].sort();
  return queryOptions({
    queryKey: ["run names", wanted],
    queryFn: ({ signal }) =>
      searchService.searchRuns(
        {
          experimentIds: [experimentId],
          filter: `run_id IN (${wanted.map((id) => `'${id}'`).join(", ")})`,
          viewType: ViewType.ALL,
          pageSize: wanted.length,
          params: {},
          metrics: {},
          tags: {},
        },
        { signal },
      ),
    select: (answer) => new Map(answer.runs.map(({ info }) => [info?.runId ?? "", info?.name ?? ""])),
    enabled: wanted.length > 0,
    staleTime: FRESH_MS,
    placeholderData: (before) => before,
  });
}

/** Tag, delete and restore one logged model. */
export function useModelEdits(modelId: string) {
  const client = useQueryClient();
  const onSettled = () =>
    Promise.all([
      client.invalidateQueries({ queryKey: ["model", modelId] }),
      client.invalidateQueries({ queryKey: ["models"] }),
      client.invalidateQueries({ queryKey: ["run"] }),
    ]);
  return {
    tag: useMutation({
      mutationFn: (tag: { key: string; value: string }) =>
        loggedModelService.setLoggedModelTags({ modelId, tags: [tag] }),
      onSettled,
    }),
    untag: useMutation({
      mutationFn: (key: string) => loggedModelService.deleteLoggedModelTag({ modelId, key }),
      onSettled,
    }),
    remove: useMutation({ mutationFn: () => loggedModelService.deleteLoggedModel({ modelId }), onSettled }),
    restore: useMutation({ mutationFn: () => loggedModelService.restoreLoggedModel({ modelId }), onSettled }),
  };
}
