/** The columns of one line of a chart. x are distances from an exact 64-bit base, one entry a bucket, ascending. */
export interface Series {
  runId: string;
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
}

/** The lines of one chart over one x. */
export interface Columns {
  base: bigint;
  series: Series[];
}

/** What the server gives of one series; see SampleSeriesResponse. */
export interface Sample {
  run: number;
  firstX: bigint[];
  lastX: bigint[];
  minimum: number[];
  maximum: number[];
  mean: number[];
  count: bigint[];
  nonFiniteCount: bigint[];
}

/** Turn the server's samples into columns over the least x of all of them. */
export function toColumns(samples: Sample[], runIds: string[]): Columns {
  const bases = samples.filter((sample) => sample.firstX.length).map((sample) => sample.firstX[0] as bigint);
  const base = bases.reduce((least, x) => (x < least ? x : least), bases[0] ?? 0n);
  const distances = (values: bigint[]) => Float64Array.from(values, (value) => Number(value - base));
  const series = samples
    .filter((sample) => sample.firstX.length)
    .map((sample) => ({
      runId: runIds[sample.run] ?? "",
      from: distances(sample.firstX),
      to: distances(sample.lastX),
      low: Float64Array.from(sample.minimum),
      high: Float64Array.from(sample.maximum),
      mean: Float64Array.from(sample.mean),
      odd: Float64Array.from(sample.nonFiniteCount, Number),
      count: Float64Array.from(sample.count, Number),
    }));
  return { base, series };
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

/** A series with points behind its end: each a bucket of its own. Points that are not behind it give null. */
export function appended(series: Series, base: bigint, steps: bigint[], values: number[]): Series | null {
  const x = Float64Array.from(steps, (step) => Number(step - base));
  const end = series.to.at(-1) ?? Number.NEGATIVE_INFINITY;
  if (x.some((at, place) => at <= (place ? (x[place - 1] as number) : end))) return null;
  const finite = Float64Array.from(values, (value) => (Number.isFinite(value) ? value : Number.NaN));
  return {
    runId: series.runId,
    from: joined(series.from, x),
    to: joined(series.to, x),
    low: joined(series.low, finite),
    high: joined(series.high, finite),
    mean: joined(series.mean, finite),
    odd: joined(
      series.odd,
      Float64Array.from(values, (value) => (Number.isFinite(value) ? 0 : 1)),
    ),
    count: joined(series.count, new Float64Array(x.length).fill(1)),
  };
}

function joined(first: Float64Array, second: Float64Array): Float64Array {
  const both = new Float64Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
