import type { Columns, Series } from "./series";

/** Buckets of one line without its name. */
export type Buckets = Omit<Series, "runId" | "key">;

/** Points as buckets of their own, in order of x. */
export function pointBuckets(x: Float64Array, values: ArrayLike<number>): Buckets {
  const order = inOrder(x);
  const at = order ? Float64Array.from(order, (place) => x[place] as number) : x;
  const value = Float64Array.from(x, (_, place) => values[order ? (order[place] as number) : place] as number);
  const finite = value.map((one) => (Number.isFinite(one) ? one : Number.NaN));
  return {
    from: at,
    to: at,
    low: finite,
    high: finite,
    mean: finite,
    odd: value.map((one) => (Number.isFinite(one) ? 0 : 1)),
    count: new Float64Array(at.length).fill(1),
  };
}

/** The buckets from a place to another, without a copy. */
export function part(buckets: Buckets, start: number, end = buckets.from.length): Buckets {
  return mapped((column) => column.subarray(start, end), buckets);
}

/** The buckets that lie within a range of x, both ends inclusive. */
export function within(buckets: Buckets, low: number, high: number): Buckets {
  let start = 0;
  let end = buckets.from.length;
  while (start < end && (buckets.from[start] as number) < low) start++;
  while (end > start && (buckets.to[end - 1] as number) > high) end--;
  return part(buckets, start, end);
}

/** Both together in order of x; buckets that share an x become one. */
export function together(first: Buckets, second: Buckets): Buckets {
  const joined = mapped(concatenated, first, second);
  const end = first.to.at(-1) ?? Number.NEGATIVE_INFINITY;
  if ((second.from[0] ?? Number.POSITIVE_INFINITY) > end) return joined;
  const order = Uint32Array.from(joined.from, (_, place) => place).sort(
    (a, b) => (joined.from[a] as number) - (joined.from[b] as number) || a - b,
  );
  const sorted = mapped((column) => Float64Array.from(order, (place) => column[place] as number), joined);
  let reach = Number.NEGATIVE_INFINITY;
  let group = -1;
  return grouped(sorted, (place) => {
    if ((sorted.from[place] as number) > reach) group++;
    reach = Math.max(reach, sorted.to[place] as number);
    return group;
  });
}

/** Neighbours that begin in the same cell of x, cells being of this width, as one; 0 leaves them as they are. */
export function coarser(buckets: Buckets, width: number): Buckets {
  return width > 0 ? grouped(buckets, (place) => Math.floor((buckets.from[place] as number) / width)) : buckets;
}

/** One bucket for each run of equal groups; means are of the finite points. */
function grouped(buckets: Buckets, groupOf: (place: number) => number): Buckets {
  const starts: number[] = [];
  let before = Number.NaN;
  for (let place = 0; place < buckets.from.length; place++) {
    const group = groupOf(place);
    if (group !== before) starts.push(place);
    before = group;
  }
  const result = mapped(() => new Float64Array(starts.length), buckets);
  for (let at = 0; at < starts.length; at++) sumUp(buckets, starts[at] as number, starts[at + 1], result, at);
  return result;
}

function sumUp(buckets: Buckets, start: number, end = buckets.from.length, into: Buckets, at: number): void {
  let sum = 0;
  let finite = 0;
  let [low, high, to, odd, count] = [Number.NaN, Number.NaN, Number.NEGATIVE_INFINITY, 0, 0];
  for (let place = start; place < end; place++) {
    const own = (buckets.count[place] as number) - (buckets.odd[place] as number);
    if (own > 0) {
      sum += (buckets.mean[place] as number) * own;
      finite += own;
      low = least(low, buckets.low[place] as number);
      high = -least(-high, -(buckets.high[place] as number));
    }
    to = Math.max(to, buckets.to[place] as number);
    odd += buckets.odd[place] as number;
    count += buckets.count[place] as number;
  }
  into.from[at] = buckets.from[start] as number;
  into.to[at] = to;
  into.low[at] = low;
  into.high[at] = high;
  into.mean[at] = finite ? sum / finite : Number.NaN;
  into.odd[at] = odd;
  into.count[at] = count;
}

/** The lesser of two, of which the first may be NaN for none. */
function least(one: number, other: number): number {
  return one < other ? one : other;
}

function mapped(
  change: (column: Float64Array, other: Float64Array) => Float64Array,
  one: Buckets,
  other = one,
): Buckets {
  return {
    from: change(one.from, other.from),
    to: change(one.to, other.to),
    low: change(one.low, other.low),
    high: change(one.high, other.high),
    mean: change(one.mean, other.mean),
    odd: change(one.odd, other.odd),
    count: change(one.count, other.count),
  };
}

function concatenated(first: Float64Array, second: Float64Array): Float64Array {
  const both = new Float64Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

/** Where the values stand in order; null when they are in order. */
function inOrder(x: Float64Array): Uint32Array | null {
  for (let place = 1; place < x.length; place++) {
    if ((x[place] as number) < (x[place - 1] as number))
      return Uint32Array.from(x, (_, at) => at).sort((a, b) => (x[a] as number) - (x[b] as number) || a - b);
  }
  return null;
}

/** The columns with some lines changed or added. */
export function withLines({ base, series }: Columns, changed: Map<string, Series>): Columns {
  const kept = series.map((one) => changed.get(lineId(one)) ?? one);
  const known = new Set(series.map(lineId));
  return { base, series: [...kept, ...[...changed].filter(([id]) => !known.has(id)).map(([, line]) => line)] };
}

export function lineId({ runId, key }: { runId: string; key: string }): string {
  return `${runId} ${key}`;
}
