import { lineId } from "./buckets";
import { middle, type Columns, type Series } from "./series";

/** What the band of a group's line is: one standard deviation on both sides, or from the least run to the greatest. */
export type Spread = "deviation" | "extremes";

/**
 * One line for each group and metric: at each place the mean over its runs, and how far they lie apart. A run without
 * a point at a place counts with what lies between its neighbours; before its first point and behind its last one it
 * does not count. Runs that are in no group are left out.
 */
export function groupLines(
  { base, series }: Columns,
  groupOf: ReadonlyMap<string, string>,
  cells: number,
  spread: Spread,
): Columns {
  const members = new Map<string, { groupId: string; key: string; runs: Series[] }>();
  for (const one of series) {
    const groupId = groupOf.get(one.runId);
    if (groupId === undefined) continue;
    const id = lineId({ runId: groupId, key: one.key });
    const found = members.get(id) ?? { groupId, key: one.key, runs: [] };
    found.runs.push(one);
    members.set(id, found);
  }
  return {
    base,
    series: [...members.values()].map(({ groupId, key, runs }) => ({
      runId: groupId,
      key,
      ...joined(runs, cells, spread),
    })),
  };
}

function joined(runs: Series[], cells: number, spread: Spread): Omit<Series, "runId" | "key"> {
  const grid = gridOf(runs, cells);
  const size = grid.from.length;
  const columns = { ...grid, low: filled(size), high: filled(size), mean: filled(size) };
  const [of, sum, squares] = [new Float64Array(size), new Float64Array(size), new Float64Array(size)];
  const values = runs.map((run) => valuesAt(run, grid));
  for (const one of values) {
    for (let at = 0; at < size; at++) {
      const value = one[at] as number;
      if (Number.isNaN(value)) continue;
      of[at]! += 1;
      sum[at]! += value;
      if (!(value >= (columns.low[at] as number))) columns.low[at] = value;
      if (!(value <= (columns.high[at] as number))) columns.high[at] = value;
    }
  }
  for (let at = 0; at < size; at++) columns.mean[at] = (sum[at] as number) / (of[at] as number);
  if (spread === "extremes") return columns;
  // In a second pass: sums of squares of large values would lose what lies between them.
  for (const one of values) {
    for (let at = 0; at < size; at++) {
      const distance = (one[at] as number) - (columns.mean[at] as number);
      if (!Number.isNaN(distance)) squares[at]! += distance * distance;
    }
  }
  for (let at = 0; at < size; at++) {
    const deviation = Math.sqrt((squares[at] as number) / Math.max((of[at] as number) - 1, 1));
    columns.low[at] = (columns.mean[at] as number) - deviation;
    columns.high[at] = (columns.mean[at] as number) + deviation;
  }
  return columns;
}

type Grid = Pick<Series, "from" | "to" | "odd" | "count">;

/** The places at which some run has points, those of one cell as one; cells have equal width. */
function gridOf(runs: Series[], cells: number): Grid {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const run of runs) {
    low = Math.min(low, run.from[0] ?? low);
    high = Math.max(high, run.to.at(-1) ?? high);
  }
  const width = (high - low) / cells || 1;
  const all = { from: filled(cells), to: filled(cells), odd: new Float64Array(cells), count: new Float64Array(cells) };
  for (const run of runs) {
    for (let bucket = 0; bucket < run.from.length; bucket++) {
      const x = middle(run, bucket);
      const cell = Math.min(Math.floor((x - low) / width), cells - 1);
      if (!((all.from[cell] as number) <= x)) all.from[cell] = x;
      if (!((all.to[cell] as number) >= x)) all.to[cell] = x;
      all.odd[cell]! += run.odd[bucket] as number;
      all.count[cell]! += run.count[bucket] as number;
    }
  }
  const kept = (column: Float64Array) => column.filter((_, cell) => (all.count[cell] as number) > 0);
  return { from: kept(all.from), to: kept(all.to), odd: kept(all.odd), count: kept(all.count) };
}

/** What a run is at each place: the mean of its buckets there, or what lies between those beside it. */
function valuesAt(run: Series, { from, to }: Grid): Float64Array {
  const values = filled(from.length);
  let next = 0;
  let [beforeX, before] = [Number.NaN, Number.NaN];
  for (let at = 0; at < from.length; at++) {
    const end = to[at] as number;
    let [sum, of] = [0, 0];
    for (; next < run.from.length && middle(run, next) <= end; next++) {
      const mean = run.mean[next] as number;
      // A part without a finite value is a gap, not a place to draw a line through.
      [beforeX, before] = [middle(run, next), mean];
      if (Number.isNaN(mean)) continue;
      sum += mean;
      of += 1;
    }
    if (of > 0) values[at] = sum / of;
    else if (next > 0 && next < run.from.length) {
      const x = ((from[at] as number) + end) / 2;
      const afterX = middle(run, next);
      values[at] = before + (((run.mean[next] as number) - before) * (x - beforeX)) / (afterX - beforeX);
    }
  }
  return values;
}

function filled(length: number): Float64Array {
  return new Float64Array(length).fill(Number.NaN);
}
