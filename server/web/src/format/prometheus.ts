/** Sums of figures by name, over all of their labels; and the buckets of histograms: how many were not above a limit. */
export interface Figures {
  sums: Map<string, number>;
  buckets: Map<string, Map<number, number>>;
}

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/;
const LIMIT = /(?:^|,)le="([^"]+)"/;

/** Read a page of figures in the text form of Prometheus. */
export function readFigures(page: string): Figures {
  const sums = new Map<string, number>();
  const buckets = new Map<string, Map<number, number>>();
  for (const line of page.split("\n")) {
    const [, name, labels = "", text = ""] = LINE.exec(line) ?? [];
    if (!name) continue;
    const value = Number(text);
    sums.set(name, (sums.get(name) ?? 0) + value);
    const limit = name.endsWith("_bucket") ? LIMIT.exec(labels)?.[1] : undefined;
    if (limit === undefined) continue;
    const histogram = name.slice(0, -"_bucket".length);
    const counts = buckets.get(histogram) ?? new Map<number, number>();
    const at = limit === "+Inf" ? Number.POSITIVE_INFINITY : Number(limit);
    counts.set(at, (counts.get(at) ?? 0) + value);
    buckets.set(histogram, counts);
  }
  return { sums, buckets };
}

/** By how much a counter grew from one look to the next; a server that began anew counts from 0. */
export function growth(before: Figures, now: Figures, name: string): number {
  const [first, second] = [before.sums.get(name) ?? 0, now.sums.get(name) ?? 0];
  return second >= first ? second - first : second;
}

/** The limit that a part of what a histogram counted between two looks does not pass; null if nothing was counted. */
export function quantileBetween(before: Figures, now: Figures, name: string, part: number): number | null {
  const [first, second] = [before.buckets.get(name), now.buckets.get(name)];
  if (!second) return null;
  const counted = [...second].map(([limit, count]) => [limit, count - (first?.get(limit) ?? 0)] as const);
  const sorted = counted.sort(([a], [b]) => a - b);
  const all = sorted.at(-1)?.[1] ?? 0;
  return all > 0 ? (sorted.find(([, count]) => count >= part * all)?.[0] ?? null) : null;
}
