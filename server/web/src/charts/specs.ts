import { PLOTS, type PlotKind } from "../plots/kinds";
import { column, label } from "../table/columns";
import { matching } from "./sections";

/** What one chart draws. */
export interface ChartSpec {
  id: string;
  title: string;
  metrics: string[];
  /** Its place among the charts that a person made; undefined for those that are there by themselves. */
  own?: number;
  /** It shows runs by their values in columns, and not lines of metrics. */
  plot?: { kind: PlotKind; columns: string[] };
}

/** A chart that a person made: of chosen metrics, of all that a regular expression finds, or a plot over columns. */
export interface OwnChart {
  title?: string;
  keys?: string[];
  pattern?: string;
  kind?: PlotKind;
  columns?: string[];
}

/** Words that say which part of the data a metric is of, as a part of its name. */
const SPLIT = /(^|[/._ -])(train|training|val|valid|validation|test|eval|dev)(?=$|[/._ -])/i;

/** A chart for each metric; or, when `together`, one for all that differ in nothing but train, val, test and the like. */
export function specsOf(metrics: string[], together: boolean): ChartSpec[] {
  if (!together) return metrics.map((metric) => ({ id: metric, title: metric, metrics: [metric] }));
  const groups = new Map<string, string[]>();
  for (const metric of metrics) {
    const name = withoutSplit(metric);
    groups.set(name, [...(groups.get(name) ?? []), metric]);
  }
  return [...groups].map(([name, inside]) => {
    const title = inside.length > 1 ? name : (inside[0] as string);
    return { id: title, title, metrics: inside };
  });
}

/** The charts that a person made, over the metrics that there are. */
export function ownSpecs(own: OwnChart[], metrics: string[], metricsMax: number): ChartSpec[] {
  const known = new Set(metrics);
  return own.map(({ title, keys, pattern, kind, columns = [] }, place) => {
    if (kind) {
      const names = columns.map((id) => column(id)).filter((one) => one !== null);
      const named = title || `${PLOTS[kind].label}: ${names.map(label).join(", ")}`;
      return { id: `own ${place}`, title: named, metrics: [], own: place, plot: { kind, columns } };
    }
    const found = pattern ? (matching(metrics, pattern) ?? []) : (keys ?? []).filter((key) => known.has(key));
    const chosen = found.slice(0, metricsMax);
    return { id: `own ${place}`, title: title || pattern || (keys ?? []).join(", "), metrics: chosen, own: place };
  });
}

/** Charts in the order that a person gave them: each pair moves one chart to the place before another. */
export function rearranged<T extends { id: string }>(charts: T[], moved: [string, string][]): T[] {
  const order = [...charts];
  for (const [id, before] of moved) {
    const from = order.findIndex((chart) => chart.id === id);
    if (from < 0 || id === before || !order.some((chart) => chart.id === before)) continue;
    const [chart] = order.splice(from, 1);
    order.splice(
      order.findIndex((one) => one.id === before),
      0,
      chart as T,
    );
  }
  return order;
}

function withoutSplit(metric: string): string {
  const name = metric
    .replace(SPLIT, "$1")
    .replace(/^[/._ -]+|[/._ -]+$/g, "")
    .replace(/([/._ -])[/._ -]+/g, "$1");
  return name || metric;
}
