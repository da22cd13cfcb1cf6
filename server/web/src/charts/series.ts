/** The columns of one line of a chart. x are distances from an exact 64-bit base, one entry a bucket, ascending. */
export interface Series {
  runId: string;
  /** Name of the metric. */
  key: string;
  /** First and last x of each bucket. */
  from: Float64Array;
  to: Float64Array;
  /** Of the finite values; NaN when a bucket has none. */
  low: Float64Array;
  high: Float64Array;
  mean: Float64Array;
  /** How many points are NaN or infinite, and how many points there are. */
  odd: Float64Array;
  count: Float64Array;
  /** Of a group of runs: how many of them count in each bucket. */
  runs?: Float64Array;
}

/** The lines of one chart over one x. */
export interface Columns {
  base: bigint;
  series: Series[];
}

/** What the server gives of one series; see SampleSeriesResponse. */
export interface Sample {
  run: number;
  key: number;
  firstX: bigint[];
  lastX: bigint[];
  minimum: number[];
  maximum: number[];
  mean: number[];
  count: bigint[];
  nonFiniteCount: bigint[];
  firstXValue: number[];
  lastXValue: number[];
  runs?: bigint[];
}

/** Whole numbers up to here are exact as doubles, and so is what lies between two of them. */
const EXACT_MAX = BigInt(Number.MAX_SAFE_INTEGER);

/** Turn the server's samples into columns: over 0 where doubles hold every x, else over the least x of all of them. */
export function toColumns(samples: Sample[], runIds: string[], keys: string[]): Columns {
  const filled = samples.filter((sample) => sample.firstX.length);
  const base = baseOf(filled.flatMap(({ firstX, lastX }) => [firstX[0] as bigint, lastX.at(-1) as bigint]));
  const distances = (values: bigint[]) => Float64Array.from(values, (value) => Number(value - base));
  return {
    base,
    series: filled.map((sample) => toSeries(sample, runIds, keys, distances(sample.firstX), distances(sample.lastX))),
  };
}

/** The same, of samples over the values of a metric. */
export function valueColumns(samples: Sample[], runIds: string[], keys: string[]): Columns {
  const series = samples
    .filter((sample) => sample.firstXValue.length)
    .map((sample) => {
      const [from, to] = [Float64Array.from(sample.firstXValue), Float64Array.from(sample.lastXValue)];
      return toSeries(sample, runIds, keys, from, to);
    });
  return { base: 0n, series };
}

/** The base for distances to these x. */
export function baseOf(x: bigint[]): bigint {
  const isExact = x.every((one) => one <= EXACT_MAX && one >= -EXACT_MAX);
  return isExact ? 0n : x.reduce((least, one) => (one < least ? one : least));
}

function toSeries(sample: Sample, runIds: string[], keys: string[], from: Float64Array, to: Float64Array): Series {
  return {
    runId: runIds[sample.run] ?? "",
    key: keys[sample.key] ?? "",
    from,
    to,
    low: Float64Array.from(sample.minimum),
    high: Float64Array.from(sample.maximum),
    mean: Float64Array.from(sample.mean),
    odd: Float64Array.from(sample.nonFiniteCount, Number),
    count: Float64Array.from(sample.count, Number),
    ...(sample.runs && { runs: Float64Array.from(sample.runs, Number) }),
  };
}

/** Where a bucket is drawn: in the middle of its points. */
export function middle(series: Series, bucket: number): number {
  return ((series.from[bucket] as number) + (series.to[bucket] as number)) / 2;
}

/** The bucket whose middle is nearest to x; -1 for an empty series. */
export function nearest(series: Series, x: number): number {
  let low = 0;
  let high = series.from.length - 1;
  if (high < 0) return -1;
  while (low < high) {
    const half = (low + high) >> 1;
    if (middle(series, half) < x) low = half + 1;
    else high = half;
  }
  return low > 0 && x - middle(series, low - 1) <= middle(series, low) - x ? low - 1 : low;
}
