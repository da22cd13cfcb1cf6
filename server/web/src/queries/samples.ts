import { queryOptions } from "@tanstack/react-query";

import { seriesService } from "../api/clients";
import type { Axis } from "../charts/ticks";
import { toColumns, type Columns, type Sample } from "../charts/series";
import { XAxis } from "../gen/stepwell_api/v1/series_pb";

/** The server samples this many runs of a chart at once. */
export const RUNS_PER_CHART_MAX = 100;
// A sample is asked for again this often where a run still logs.
const LIVE_MS = 2_000;

const AXES: Record<Axis, XAxis> = { step: XAxis.STEP, time: XAxis.TIME, relative: XAxis.TIME_SINCE_START };

export interface SampleQuestion {
  metric: string;
  runIds: string[];
  axis: Axis;
  /** Exact bounds of x; null for all. */
  from: bigint | null;
  to: bigint | null;
  buckets: number;
  live: boolean;
}

/** The lines of one chart: per run and bucket the extremes, the mean and the counts. */
export function samplesQuery(asked: SampleQuestion) {
  const { metric, runIds, axis, from, to, buckets, live } = asked;
  return queryOptions<Columns>({
    queryKey: ["samples", metric, runIds, axis, String(from), String(to), buckets],
    queryFn: async ({ signal }) => {
      const samples: Sample[] = [];
      const answers = seriesService.sampleSeries(
        {
          runIds: runIds.slice(0, RUNS_PER_CHART_MAX),
          keys: [metric],
          axis: AXES[axis],
          ...(from === null ? {} : { xFrom: from }),
          ...(to === null ? {} : { xTo: to }),
          buckets,
        },
        { signal },
      );
      for await (const answer of answers) samples.push(answer);
      return toColumns(samples, runIds);
    },
    enabled: runIds.length > 0,
    refetchInterval: live ? LIVE_MS : false,
    staleTime: live ? LIVE_MS : 60_000,
    placeholderData: (before) => before,
  });
}
