import { queryOptions } from "@tanstack/react-query";

import { seriesService } from "../api/clients";
import { toColumns, valueColumns, type Columns, type Sample } from "../charts/series";
import { metricOf, type Axis } from "../charts/ticks";
import { SampleColumn, XAxis } from "../gen/stepwell_api/v1/series_pb";

/** The server samples this many runs, and this many metrics, of a chart at once. */
export const RUNS_PER_CHART_MAX = 100;
export const METRICS_PER_CHART_MAX = 20;
// News of single processes are not told; a chart of them asks again this often.
const ASK_AGAIN_MS = 5_000;
const FRESH_MS = 60_000;

const AXES: Record<Exclude<Axis, `metric:${string}`>, XAxis> = {
  step: XAxis.STEP,
  time: XAxis.TIME,
  relative: XAxis.TIME_SINCE_START,
};
// What a chart draws and tells. The values at the ends of a bucket are not among it.
const COLUMNS = [
  SampleColumn.FIRST_X,
  SampleColumn.LAST_X,
  SampleColumn.MINIMUM,
  SampleColumn.MAXIMUM,
  SampleColumn.MEAN,
  SampleColumn.COUNT,
  SampleColumn.NON_FINITE_COUNT,
];

/** Bounds of x: whole numbers, but for the values of a metric. */
export interface Bounds {
  from: bigint | number;
  to: bigint | number;
}

export interface SampleQuestion {
  metrics: string[];
  /** Runs, or single processes of runs; see processId. */
  runIds: string[];
  axis: Axis;
  /** null for all. */
  bounds: Bounds | null;
  buckets: number;
  /** Some of the runs still log. */
  live: boolean;
  /** With the points that a resume hides. */
  withHidden?: boolean;
}

/** The lines of one chart: per run, metric and bucket the extremes, the mean and the counts. */
export function samplesQuery(asked: SampleQuestion) {
  const { metrics, runIds, axis, bounds, buckets, live, withHidden } = asked;
  return queryOptions<Columns>({
    queryKey: [
      "samples",
      metrics,
      runIds,
      axis,
      String(bounds?.from),
      String(bounds?.to),
      buckets,
      withHidden ?? false,
    ],
    queryFn: ({ signal }) => sample(asked, signal),
    enabled: runIds.length > 0,
    refetchInterval: live && !isTold(asked) ? ASK_AGAIN_MS : false,
    // What comes is added to the answer; see live/.
    staleTime: live ? 0 : FRESH_MS,
    // An answer that is as it was is not compared number by number.
    structuralSharing: false,
    placeholderData: (before) => before,
  });
}

/** One process of a run, where else a run's id stands. */
export function processId(runId: string, writerId: string): string {
  return `${runId}@${writerId}`;
}

/** News come by run. */
export function isTold({ runIds }: SampleQuestion): boolean {
  return !runIds.some((id) => id.includes("@"));
}

/** Ask the server for the lines of one chart. */
export async function sample(asked: SampleQuestion, signal: AbortSignal): Promise<Columns> {
  const runIds = asked.runIds.slice(0, RUNS_PER_CHART_MAX);
  const keys = asked.metrics.slice(0, METRICS_PER_CHART_MAX);
  const whole = runIds.filter((id) => !id.includes("@"));
  const ask = async (ids: string[], writerIds: string[], owners: string[]) => {
    const found: Sample[] = [];
    const request = { runIds: ids, writerIds, keys, buckets: asked.buckets, columns: COLUMNS, ...over(asked) };
    for await (const answer of seriesService.sampleSeries(request, { signal }))
      found.push({ ...answer, run: runIds.indexOf(owners[answer.run] ?? "") });
    return found;
  };
  const questions = runIds
    .filter((id) => id.includes("@"))
    .map((id) => {
      const [runId = "", writerId = ""] = id.split("@");
      return ask([runId], [writerId], [id]);
    });
  if (whole.length) questions.push(ask(whole, [], whole));
  const samples = (await Promise.all(questions)).flat();
  return metricOf(asked.axis) !== null ? valueColumns(samples, runIds, keys) : toColumns(samples, runIds, keys);
}

/** What x is and where it ends, as requests for samples say it. */
export function over({ axis, bounds, withHidden }: Pick<SampleQuestion, "axis" | "bounds" | "withHidden">) {
  const xKey = metricOf(axis);
  if (xKey !== null) {
    const between = bounds && { xValueFrom: Number(bounds.from), xValueTo: Number(bounds.to) };
    return { axis: XAxis.METRIC, xKey, ...between };
  }
  const between = bounds && { xFrom: BigInt(bounds.from), xTo: BigInt(bounds.to) };
  return { axis: AXES[axis as keyof typeof AXES], withHidden: withHidden ?? false, ...between };
}
