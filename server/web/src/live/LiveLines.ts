import { coarser, lineId, part, pointBuckets, together, within, withLines, type Buckets } from "../charts/buckets";
import { rangeOfX } from "../charts/ranges";
import { baseOf, type Columns, type Series } from "../charts/series";
import { metricOf, type Axis } from "../charts/ticks";
import type { Bounds } from "../queries/samples";
import type { SeriesNews } from "../gen/stepwell_api/v1/series_pb";
import { OverMetric, type Placed } from "./overMetric";

/** What a chart shows, as far as it decides which news are drawn where. */
export interface Shown {
  axis: Axis;
  /** Bounds of x that were asked for; null for all. */
  bounds: Bounds | null;
  buckets: number;
  /** When a run started, in milliseconds since the epoch, for the time since then. */
  startOf: (runId: string) => number | undefined;
  /** The metrics that are drawn. */
  keys: readonly string[];
}

/** News right behind an answer are in it, if they do not lie behind its end. */
const OVERLAP_MS = 1_000;
/** News that wait for an answer; more of them, and the answer is asked for again. */
const PENDING_MAX = 200;
/** A line may have so many times the buckets that were asked for before its neighbours are joined. */
const CROWDED = 2;

/**
 * The lines of one chart: an answer of the server, and what was committed since. Their number of buckets stays
 * bounded however long a run goes on.
 */
export class LiveLines {
  columns: Columns | undefined;
  /** News came that only a new answer can show as they are. */
  isStale = false;
  /** News came that may have been in the answer, and were left out. */
  isUnsure = false;
  private pending: SeriesNews[] = [];
  private isAsking = true;
  private answeredAt = 0;
  /** Points that are nearer to each other than this share a bucket: about a pixel. */
  private width = 0;
  private readonly over: OverMetric | null;

  constructor(private readonly shown: Shown) {
    const xKey = metricOf(shown.axis);
    this.over = xKey === null ? null : new OverMetric(xKey, shown.keys);
  }

  /** The server is asked: what comes from now on may lack in its answer. */
  ask(): void {
    this.isAsking = true;
    this.isStale = this.isUnsure = false;
    this.pending = [];
  }

  /** Take an answer of the server, and what came while it was under way. */
  answer(columns: Columns): void {
    this.columns = columns;
    this.isAsking = false;
    this.answeredAt = performance.now();
    const [low, high] = rangeOfX(columns.series);
    this.width = columns.series.length ? (high - low) / this.shown.buckets : 0;
    const waiting = this.pending;
    this.pending = [];
    for (const news of waiting) this.take(news);
  }

  /** Take what was committed; tells whether the lines changed. */
  take(news: SeriesNews): boolean {
    if (this.isAsking) {
      if (this.pending.length < PENDING_MAX) this.pending.push(news);
      else this.isStale = true;
    }
    if (!this.columns) return false;
    if (this.columns.series.length === 0) this.columns = { base: baseOf(xOf(news, this.shown.axis)), series: [] };
    const found = news.restarted ? null : this.placed(news, this.columns.base);
    if (!found) this.isStale = true;
    return (found ?? []).map(({ key, buckets }) => this.add(news.runId, key, buckets)).includes(true);
  }

  private placed(news: SeriesNews, base: bigint): Placed[] | null {
    if (this.over) return this.over.take(news);
    const buckets = bucketsOf(news, this.shown, base);
    return buckets && [{ key: news.key, buckets }];
  }

  private add(runId: string, key: string, found: Buckets): boolean {
    const { columns, shown } = this;
    if (!columns) return false;
    const { from, to } = shown.bounds ?? { from: -Infinity, to: Infinity };
    let more = within(found, distance(from, columns.base), distance(to, columns.base));
    const id = lineId({ runId, key });
    const line = columns.series.find((one) => lineId(one) === id);
    if (line && performance.now() - this.answeredAt < OVERLAP_MS) {
      const behind = countUpTo(more.from, line.to.at(-1) ?? -Infinity);
      this.isUnsure ||= behind > 0;
      // Over another metric what is new may well lie behind; a point that is drawn twice stands where it stands.
      if (!this.over) more = part(more, behind);
    }
    if (more.from.length === 0) return false;
    let grown = coarser(line ? together(line, more) : more, this.width);
    if (grown.from.length > CROWDED * shown.buckets) {
      const span = (grown.to.at(-1) as number) - (grown.from[0] as number);
      this.width = Math.max(2 * this.width, span / shown.buckets);
      grown = coarser(grown, this.width);
    }
    const changed: Series = { runId, key, ...grown };
    this.columns = withLines(columns, new Map([[id, changed]]));
    return true;
  }
}

/** News as buckets over the axis; null when they can't be. */
function bucketsOf({ points, parts, runId }: SeriesNews, { axis, startOf }: Shown, base: bigint): Buckets | null {
  if (points) {
    if (axis === "step") return pointBuckets(distances(points.step, base), points.value);
    const start = axis === "relative" ? startOf(runId) : 0;
    return start === undefined ? null : pointBuckets(distances(points.timestampMs, base + BigInt(start)), points.value);
  }
  if (!parts || axis !== "step") return null;
  return together(empty(), {
    from: distances(parts.firstX, base),
    to: distances(parts.lastX, base),
    low: Float64Array.from(parts.minimum),
    high: Float64Array.from(parts.maximum),
    mean: Float64Array.from(parts.mean),
    odd: Float64Array.from(parts.nonFiniteCount, Number),
    count: Float64Array.from(parts.count, Number),
  });
}

function distances(values: bigint[], base: bigint): Float64Array {
  return Float64Array.from(values, (value) => Number(value - base));
}

/** How far a bound is from the base; numbers are open ends. */
export function distance(bound: bigint | number, base: bigint): number {
  return typeof bound === "bigint" ? Number(bound - base) : bound;
}

function xOf({ points, parts }: SeriesNews, axis: Axis): bigint[] {
  if (metricOf(axis) !== null) return [];
  return (axis === "step" ? (points?.step ?? parts?.firstX) : points?.timestampMs) ?? [];
}

function countUpTo(sorted: Float64Array, end: number): number {
  let count = 0;
  while (count < sorted.length && (sorted[count] as number) <= end) count++;
  return count;
}

function empty(): Buckets {
  const none = new Float64Array(0);
  return { from: none, to: none, low: none, high: none, mean: none, odd: none, count: none };
}
