import { queryOptions } from "@tanstack/react-query";

import { seriesService } from "../api/clients";
import { ViewType } from "../gen/stepwell_api/v1/runs_pb";
import type { SampleGroupsResponse } from "../gen/stepwell_api/v1/series_pb";
import { METRICS_PER_CHART_MAX, over, type SampleQuestion } from "./samples";
import type { Scope } from "./values";

/** As many groups have lines in a chart. */
export const GROUPS_PER_CHART_MAX = 10;
/** The server compares runs at so many places, at most. */
export const PLACES_MAX = 2_000;
const FRESH_MS = 60_000;
// Of runs that still log: at least so often, and what takes long less often, so that it takes a hundredth of the time.
const ASK_AGAIN_MS = 10_000;
const ASK_AGAIN_TIMES = 100;

/** Groups of runs: where they are, and what finds the runs of each. */
export interface Groups {
  scope: Scope;
  filters: string[];
}

type Question = Omit<SampleQuestion, "runIds">;

/** Lines, and what was asked: until a new question has its answer, that of the one before is shown. */
export interface GroupsAnswer extends Pick<Question, "metrics" | "axis"> {
  filters: string[];
  lines: SampleGroupsResponse[];
  tookMs: number;
}

/** Mean and spread of metrics over all runs of groups, at places that the runs of a group share. */
export function groupLinesQuery({ scope, filters }: Groups, asked: Question) {
  const { metrics, axis, bounds, buckets, live, withHidden } = asked;
  return queryOptions<GroupsAnswer>({
    queryKey: [
      "groupLines",
      scope.experimentIds.map(String),
      scope.deleted,
      filters,
      metrics,
      axis,
      String(bounds?.from),
      String(bounds?.to),
      buckets,
      withHidden ?? false,
    ],
    queryFn: async ({ signal }) => {
      const start = performance.now();
      const lines = await askGroups({ scope, filters }, asked, signal);
      return { filters, metrics, axis, lines, tookMs: performance.now() - start };
    },
    refetchInterval: ({ state }) => live && Math.max(ASK_AGAIN_MS, ASK_AGAIN_TIMES * (state.data?.tookMs ?? 0)),
    staleTime: live ? 0 : FRESH_MS,
    structuralSharing: false,
    placeholderData: (before) => before,
  });
}

/** Ask the server for the lines of groups in one chart. */
export async function askGroups(
  { scope, filters }: Groups,
  asked: Question,
  signal: AbortSignal,
): Promise<SampleGroupsResponse[]> {
  const request = {
    experimentIds: scope.experimentIds,
    viewType: scope.deleted ? ViewType.DELETED_ONLY : ViewType.ACTIVE_ONLY,
    filters: filters.slice(0, GROUPS_PER_CHART_MAX),
    keys: asked.metrics.slice(0, METRICS_PER_CHART_MAX),
    buckets: Math.min(asked.buckets, PLACES_MAX),
    ...over(asked),
  };
  const found: SampleGroupsResponse[] = [];
  for await (const answer of seriesService.sampleGroups(request, { signal })) found.push(answer);
  return found;
}
