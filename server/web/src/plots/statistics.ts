/** What a box shows: quartiles, whiskers up to 1.5 times the distance of the quartiles, and what lies beyond. */
export interface Box {
  low: number;
  first: number;
  median: number;
  third: number;
  high: number;
  outliers: number[];
  count: number;
}

export interface Bin {
  from: number;
  to: number;
  count: number;
}

const BINS_MAX = 60;
/** Values that are farther than this many widths of the box from it are drawn by themselves (Tukey, 1977). */
const WHISKER = 1.5;

/** The quantile of sorted values, linear between two of them. */
export function quantile(sorted: number[], part: number): number {
  const place = (sorted.length - 1) * part;
  const below = sorted[Math.floor(place)] as number;
  const above = sorted[Math.ceil(place)] as number;
  return below + (above - below) * (place - Math.floor(place));
}

/** The box of values, at least one. */
export function boxOf(values: number[]): Box {
  const sorted = [...values].sort((a, b) => a - b);
  const [first, median, third] = [0.25, 0.5, 0.75].map((part) => quantile(sorted, part)) as [number, number, number];
  const reach = WHISKER * (third - first);
  const inside = sorted.filter((value) => value >= first - reach && value <= third + reach);
  return {
    low: inside[0] ?? first,
    first,
    median,
    third,
    high: inside.at(-1) ?? third,
    outliers: sorted.filter((value) => value < first - reach || value > third + reach),
    count: sorted.length,
  };
}

/** Bins of equal width from 0 to 1, as wide as Freedman and Diaconis (1981) say, at least Sturges' number of them. */
export function binsOf(places: number[]): Bin[] {
  const sorted = places.filter(Number.isFinite).sort((a, b) => a - b);
  if (sorted.length === 0) return [];
  const spread = quantile(sorted, 0.75) - quantile(sorted, 0.25);
  const width = (2 * spread) / Math.cbrt(sorted.length);
  const sturges = Math.ceil(Math.log2(sorted.length)) + 1;
  const count = Math.min(BINS_MAX, Math.max(sturges, width > 0 ? Math.ceil(1 / width) : 1));
  const bins = Array.from({ length: count }, (_, place) => ({
    from: place / count,
    to: (place + 1) / count,
    count: 0,
  }));
  for (const place of sorted) (bins[Math.min(Math.floor(place * count), count - 1)] as Bin).count++;
  return bins;
}

/**
 * A surface through points (x, y, z from 0 to 1) on a grid, row by row from y = 0: means weighted by the inverse square
 * of the distance (Shepard, 1968).
 */
export function surface(points: [x: number, y: number, z: number][], columns: number, rows: number): Float64Array {
  const grid = new Float64Array(columns * rows);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const [x, y] = [(column + 0.5) / columns, (row + 0.5) / rows];
      let [sum, mass] = [0, 0];
      for (const [px, py, z] of points) {
        const weight = 1 / ((px - x) ** 2 + (py - y) ** 2 + 1e-6) ** 2;
        sum += weight * z;
        mass += weight;
      }
      grid[row * columns + column] = sum / mass;
    }
  }
  return grid;
}

/** A colour of the scale from blue over green to yellow, which grows in lightness, for a number from 0 to 1. */
export function shade(part: number): string {
  const stops = [
    [68, 57, 145],
    [44, 113, 165],
    [31, 161, 135],
    [122, 200, 82],
    [246, 222, 38],
  ] as const;
  const at = Math.min(Math.max(part, 0), 1) * (stops.length - 1);
  const [one, other] = [stops[Math.floor(at)], stops[Math.ceil(at)]] as [readonly number[], readonly number[]];
  const mixed = one.map((value, place) => Math.round(value + ((other[place] as number) - value) * (at % 1)));
  return `rgb(${mixed.join(" ")})`;
}
