import type { Run } from "../gen/stepwell_api/v1/runs_pb";
import { duration, moment } from "../format/times";
import { cell, label, type Column } from "../table/columns";
import { scaleOf, type Scale, type Value } from "./scale";

/** A run as a plot shows it: its values in the order of the plot's columns. */
export interface PlotRow {
  runId: string;
  experimentId: string;
  name: string;
  color: string;
  values: Value[];
}

/** What a plot draws. */
export interface PlotData {
  rows: PlotRow[];
  scales: Scale[];
}

/** Runs as rows of a plot, with a scale for each column. */
export function plotData(runs: Run[], columns: Column[], colorOf: (runId: string) => string): PlotData {
  const rows = runs.flatMap((run) => {
    const info = run.info;
    if (!info) return [];
    const values = columns.map((column) => cell(run, column));
    return [
      {
        runId: info.runId,
        experimentId: String(info.experimentId),
        name: info.name,
        color: colorOf(info.runId),
        values,
      },
    ];
  });
  const scales = columns.map((column, place) => {
    const values = rows.map((row) => row.values[place]);
    return scaleOf(label(column), values, labelOf(column));
  });
  return { rows, scales };
}

function labelOf({ kind, key }: Column): ((value: number) => string) | undefined {
  if (kind !== "attribute") return undefined;
  if (key === "duration") return (value) => duration(Math.max(value, 0));
  return key.endsWith("_time") ? (value) => moment(value) : undefined;
}
