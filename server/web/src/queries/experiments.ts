import { infiniteQueryOptions, queryOptions, useMutation, useQueries, useQueryClient } from "@tanstack/react-query";

import { experimentService, searchService } from "../api/clients";
import { ViewType } from "../gen/stepwell_api/v1/runs_pb";
import type { Tag } from "../gen/stepwell_api/v1/runs_pb";

export type Message<T> = Omit<T, "$typeName" | "$unknown">;

/** Tag of an experiment or a run that holds its description, in Markdown; MLflow's name. */
export const NOTE_TAG = "mlflow.note.content";
const PAGE_SIZE = 200;
// A list that is looked at is asked for again this often.
const FRESH_MS = 5_000;

/** Experiments, a page at a time, the latest used first; stale when an experiment is changed here. */
export function experimentsQuery(filter: string, deleted: boolean) {
  return infiniteQueryOptions({
    queryKey: ["experiments", filter, deleted],
    queryFn: ({ pageParam, signal }) =>
      searchService.searchExperiments(
        {
          filter,
          viewType: deleted ? ViewType.DELETED_ONLY : ViewType.ACTIVE_ONLY,
          orderBy: ["last_update_time DESC"],
          pageSize: PAGE_SIZE,
          pageToken: pageParam,
        },
        { signal },
      ),
    initialPageParam: "",
    getNextPageParam: (page) => page.nextPageToken || undefined,
    select: ({ pages }) => pages.flatMap(({ experiments }) => experiments),
    refetchInterval: FRESH_MS,
    // What is deleted can be restored and no more: until these are known, the others must not stand for them.
    placeholderData: (before, query) => (query?.queryKey[2] === deleted ? before : undefined),
  });
}

/** One experiment; it may be changed elsewhere. */
export function experimentQuery(experimentId: bigint) {
  return queryOptions({
    queryKey: ["experiment", String(experimentId)],
    queryFn: ({ signal }) =>
      experimentService.getExperiment({ selector: { case: "experimentId", value: experimentId } }, { signal }),
    select: (answer) => answer.experiment,
    refetchInterval: FRESH_MS,
    staleTime: FRESH_MS,
  });
}

/** Several experiments, as far as they are there. */
export function useExperiments(experimentIds: bigint[]) {
  return useQueries({
    queries: experimentIds.map(experimentQuery),
    combine: (answers) => {
      const found = answers.map(({ data }) => data).filter((one) => one !== undefined);
      return {
        found,
        names: new Map(found.map((one) => [String(one.experimentId), one.name])),
        error: answers.find((answer) => answer.isLoadingError)?.error ?? null,
        retry: () => answers.forEach((answer) => void (answer.isLoadingError && answer.refetch())),
      };
    },
  });
}

/** How many runs experiments have, how many are at work, and when one changed last; by number. */
export function summariesOfExperimentsQuery(experimentIds: bigint[]) {
  return queryOptions({
    queryKey: ["experiments", "summaries", experimentIds.map(String)],
    queryFn: ({ signal }) => searchService.summarizeExperiments({ experimentIds }, { signal }),
    select: (answer) => new Map(answer.experiments.map((one) => [one.experimentId, one])),
    enabled: experimentIds.length > 0,
    refetchInterval: FRESH_MS,
    placeholderData: (before) => before,
  });
}

/** Create, change, delete and restore; each tells the lists that they are stale. */
export function useExperimentChanges() {
  const client = useQueryClient();
  const onSettled = () =>
    Promise.all([
      client.invalidateQueries({ queryKey: ["experiments"] }),
      client.invalidateQueries({ queryKey: ["experiment"] }),
    ]);
  return {
    create: useMutation({
      mutationFn: (given: { name: string; artifactLocation: string }) => experimentService.createExperiment(given),
      onSettled,
    }),
    update: useMutation({
      mutationFn: (given: { experimentId: bigint; name?: string; tags?: Message<Tag>[] }) =>
        experimentService.updateExperiment(given),
      onSettled,
    }),
    deleteTag: useMutation({
      mutationFn: (given: { experimentId: bigint; key: string }) => experimentService.deleteExperimentTag(given),
      onSettled,
    }),
    remove: useMutation({
      mutationFn: (experimentId: bigint) => experimentService.deleteExperiment({ experimentId }),
      onSettled,
    }),
    restore: useMutation({
      mutationFn: (experimentId: bigint) => experimentService.restoreExperiment({ experimentId }),
      onSettled,
    }),
  };
}
