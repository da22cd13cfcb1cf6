import { colorNumber, colorOf } from "./colors";
import type { ChartLook, RunLook } from "./Chart";
import type { Line } from "./draw";
import { middle, type Columns } from "./series";
import { smoothed } from "./smoothing";

/** Dashes tell the metrics of one run apart, in CSS pixels; the first metric's line is whole. */
const DASHES = [[], [6, 4], [2, 3], [10, 3, 2, 3]];

/**
 * Columns as lines with their looks. Runs have colours and, where a chart has several metrics, these have dashes;
 * the metrics of a single run have colours.
 */
export function toLines(columns: Columns, look: ChartLook, runs: Map<string, RunLook>, dark: boolean): Line[] {
  const keys = [...new Set(columns.series.map(({ key }) => key))];
  const isOneRun = new Set(columns.series.map(({ runId }) => runId)).size === 1;
  return columns.series.map((series) => {
    const run = runs.get(series.runId);
    const number = keys.indexOf(series.key);
    const isSmoothed = look.smoothing > 0;
    const x = isSmoothed ? Float64Array.from(series.from, (_, bucket) => middle(series, bucket)) : series.from;
    return {
      series,
      color: isOneRun && number ? colorOf(colorNumber(series.runId) + number, dark) : (run?.color ?? "#888888"),
      name: [run?.name, keys.length > 1 && series.key].filter(Boolean).join(" · "),
      bold: isSmoothed ? smoothed(x, series.mean, look.smoothing) : series.mean,
      isSmoothed,
      dash: isOneRun ? [] : (DASHES[number % DASHES.length] as number[]),
    };
  });
}
