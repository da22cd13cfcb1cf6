import type { Series } from "./series";

export type Range = [low: number, high: number];

/** A part of the values that are far from the rest, on each side, may be left out of the range of y. */
const OUTLIER_PART = 0.02;
const MARGIN = 0.05;

/** The range of x over all series. */
export function rangeOfX(series: Series[]): Range {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const one of series) {
    low = Math.min(low, one.from[0] ?? low);
    high = Math.max(high, one.to.at(-1) ?? high);
  }
  return wide(low, high);
}

/** The range of y: of the band with all its spikes, or without the outliers; of positive values on a log axis. */
export function rangeOfY(series: Series[], { log, ignoreOutliers }: { log: boolean; ignoreOutliers: boolean }): Range {
  const values: number[] = [];
  for (const one of series) {
    for (let place = 0; place < one.low.length; place++) {
      for (const value of [one.low[place] as number, one.high[place] as number]) {
        if (Number.isFinite(value) && (!log || value > 0)) values.push(value);
      }
    }
  }
  const sorted = Float64Array.from(values).sort();
  const cut = ignoreOutliers ? Math.floor(sorted.length * OUTLIER_PART) : 0;
  const low = sorted[cut] ?? Number.POSITIVE_INFINITY;
  const high = sorted[sorted.length - 1 - cut] ?? Number.NEGATIVE_INFINITY;
  return log ? logWide(low, high) : padded(...wide(low, high));
}

function wide(low: number, high: number): Range {
  if (!(low <= high)) return [0, 1];
  if (low < high) return [low, high];
  const half = Math.abs(low) * 0.05 || 0.5;
  return [low - half, high + half];
}

function padded(low: number, high: number): Range {
  const margin = (high - low) * MARGIN;
  return [low - margin, high + margin];
}

function logWide(low: number, high: number): Range {
  if (!(low <= high)) return [0.1, 1];
  return low < high ? [low / 1.1, high * 1.1] : [low / 2, high * 2];
}
