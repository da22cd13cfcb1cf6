import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import { runService, searchService, seriesService } from "../api/clients";
import { RunStatus, ViewType, type Run } from "../gen/stepwell_api/v1/runs_pb";

const LIVE_MS = 2_000;
export const CHILDREN_MAX = 1_000;
export const PARENT_TAG = "mlflow.parentRunId";
/** Metrics of machines and processes begin so. */
export const SYSTEM_PREFIX = "system/";

/** One run with all that it logged, of metrics the latest points; asked for again while it is running. */
export function runQuery(runId: string) {
  return queryOptions({
    queryKey: ["run", runId],
    queryFn: ({ signal }) => runService.getRun({ runId }, { signal }),
    select: (answer) => answer.run,
    refetchInterval: (query) => (isRunning(query.state.data?.run) ? LIVE_MS : false),
  });
}

export function isRunning(run: Run | undefined): boolean {
  return run?.info?.status === RunStatus.RUNNING;
}

/** What is known of a metric: its latest point, and over all points the extremes, the mean and the counts. */
export interface MetricSummary {
  key: string;
  step: bigint;
  timeMs: bigint;
  value: number;
  minimum: number;
  maximum: number;
  mean: number;
  count: bigint;
  oddCount: bigint;
}

/** Summaries of all metrics of a run. */
export function summariesQuery(runId: string, live: boolean) {
  return queryOptions({
    queryKey: ["summaries", runId],
    queryFn: async ({ signal }) => {
      const found: MetricSummary[] = [];
      let keys: string[] = [];
      for await (const answer of seriesService.getLatestMetrics({ runIds: [runId] }, { signal })) {
        keys = keys.concat(answer.keys);
        for (let row = 0; row < answer.key.length; row++) {
          found.push({
            key: keys[answer.key[row] as number] ?? "",
            step: answer.step[row] as bigint,
            timeMs: answer.timestampMs[row] as bigint,
            value: answer.value[row] as number,
            minimum: answer.valueMin[row] as number,
            maximum: answer.valueMax[row] as number,
            mean: answer.valueMean[row] as number,
            count: answer.count[row] as bigint,
            oddCount: answer.nonFiniteCount[row] as bigint,
          });
        }
      }
      return found;
    },
    refetchInterval: live ? LIVE_MS : false,
  });
}

/** The runs that were started inside a run, the first ones. */
export function childrenQuery(experimentId: bigint, runId: string, live: boolean) {
  return queryOptions({
    queryKey: ["children", runId],
    queryFn: ({ signal }) =>
      searchService.searchRuns(
        {
          experimentIds: [experimentId],
          filter: startedIn(runId),
          viewType: ViewType.ACTIVE_ONLY,
          orderBy: ["start_time ASC"],
          pageSize: CHILDREN_MAX,
          params: {},
          metrics: {},
          tags: {},
        },
        { signal },
      ),
    select: (answer) => answer.runs,
    refetchInterval: live ? LIVE_MS : false,
  });
}

/** The filter that finds the runs that were started inside a run. */
export function startedIn(runId: string): string {
  return `tags.\`${PARENT_TAG}\` = '${runId}'`;
}

/** Rename, tag, delete and restore one run. */
export function useRunEdits(run: Run) {
  const client = useQueryClient();
  const runId = run.info?.runId ?? "";
  const onSettled = () =>
    Promise.all([
      client.invalidateQueries({ queryKey: ["run", runId] }),
      client.invalidateQueries({ queryKey: ["runs"] }),
    ]);
  return {
    rename: useMutation({ mutationFn: (name: string) => runService.updateRun({ runId, name }), onSettled }),
    end: useMutation({
      mutationFn: (status: RunStatus) => runService.updateRun({ runId, status, endTimeMs: BigInt(Date.now()) }),
      onSettled,
    }),
    tag: useMutation({
      mutationFn: (given: { key: string; value: string }) =>
        searchService.changeRuns({
          experimentIds: [run.info?.experimentId ?? 0n],
          filter: `run_id = '${runId}'`,
          change: { case: "tag", value: { tags: [given] } },
        }),
      onSettled,
    }),
    untag: useMutation({ mutationFn: (key: string) => runService.deleteTag({ runId, key }), onSettled }),
    remove: useMutation({ mutationFn: () => runService.deleteRun({ runId }), onSettled }),
    restore: useMutation({ mutationFn: () => runService.restoreRun({ runId }), onSettled }),
  };
}
