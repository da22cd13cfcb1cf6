import type { LoggedModel } from "../gen/stepwell_api/v1/models_pb";

/** What a metric was of a model, at the step at which it was measured. */
export interface Measurement {
  model: LoggedModel;
  step: bigint;
  value: number;
}

/** One metric of models: a line for those of one name that one run made. */
export interface StepChart {
  /** The metric, and the data set where there is one. */
  title: string;
  lines: { runId: string; name: string; points: Measurement[] }[];
}

/** The metrics of models by step, those with the most points first. */
export function stepCharts(models: LoggedModel[]): StepChart[] {
  const charts = new Map<string, Map<string, Measurement[]>>();
  for (const model of models) {
    for (const { key, step, value, datasetName } of model.metrics) {
      if (!Number.isFinite(value)) continue;
      const title = datasetName ? `${key} on ${datasetName}` : key;
      const lines = charts.get(title) ?? new Map<string, Measurement[]>();
      const line = `${model.sourceRunId} ${model.name}`;
      lines.set(line, [...(lines.get(line) ?? []), { model, step, value }]);
      charts.set(title, lines);
    }
  }
  const size = (chart: StepChart) => chart.lines.reduce((sum, { points }) => sum + points.length, 0);
  return [...charts]
    .map(([title, lines]) => ({ title, lines: [...lines.values()].map(lineOf) }))
    .sort((a, b) => size(b) - size(a) || a.title.localeCompare(b.title));
}

function lineOf(points: Measurement[]) {
  const { sourceRunId: runId = "", name = "" } = points[0]?.model ?? {};
  return { runId, name, points: points.sort((a, b) => (a.step < b.step ? -1 : a.step > b.step ? 1 : 0)) };
}
