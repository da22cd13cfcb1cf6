import type { ChartLook } from "../charts/Chart";
import type { ChartSize } from "../charts/ChartGrid";
import type { Spread } from "../charts/groups";
import type { OwnChart } from "../charts/specs";
import type { Axis } from "../charts/ticks";
import { PLOT_KINDS } from "../plots/kinds";
import { flag, oneOf, text, texts } from "./search";

/** How charts are shown, as it stands in the address; what is left out is the usual. */
export interface ChartsView {
  /** A regular expression of metrics. */
  metrics?: string;
  axis?: Exclude<Axis, "step">;
  smoothing?: number;
  logY?: true;
  logX?: true;
  outliers?: "ignored";
  band?: "off";
  /** Where runs are in groups: a line for each of them, and what the band of a group's line is. */
  lines?: "runs";
  spread?: Exclude<Spread, "deviation">;
  /** Points that a resume hides are drawn, too. */
  withHidden?: true;
  /** Charts of train, val, test and the like are one. */
  together?: true;
  size?: Exclude<ChartSize, "small">;
  own?: OwnChart[];
  /** The plots of compared runs; where it is left out, the usual ones. */
  plots?: OwnChart[];
  /** Pairs of charts: the first stands before the second. */
  moved?: [string, string][];
}

export function readChartsView(given: Record<string, unknown>): ChartsView {
  const smoothing = Number(given.smoothing);
  return {
    metrics: text(given.metrics),
    axis: oneOf(given.axis, ["time", "relative"]) ?? metricAxis(given.axis),
    smoothing: smoothing > 0 && smoothing < 1 ? smoothing : undefined,
    logY: flag(given.logY),
    logX: flag(given.logX),
    outliers: oneOf(given.outliers, ["ignored"]),
    band: oneOf(given.band, ["off"]),
    lines: oneOf(given.lines, ["runs"]),
    spread: oneOf(given.spread, ["extremes"]),
    withHidden: flag(given.withHidden),
    together: flag(given.together),
    size: oneOf(given.size, ["large", "huge"]),
    own: ownCharts(given.own),
    plots: ownCharts(given.plots),
    moved: pairs(given.moved),
  };
}

/** How charts are drawn in a view. */
export function chartLook(view: ChartsView): ChartLook {
  return {
    axis: view.axis ?? "step",
    logX: view.logX ?? false,
    logY: view.logY ?? false,
    band: view.band !== "off",
    ignoreOutliers: view.outliers === "ignored",
    smoothing: view.smoothing ?? 0,
    withHidden: view.withHidden ?? false,
    spread: view.spread ?? "deviation",
  };
}

function metricAxis(given: unknown): `metric:${string}` | undefined {
  return typeof given === "string" && /^metric:./.test(given) ? (given as `metric:${string}`) : undefined;
}

function ownCharts(given: unknown): OwnChart[] | undefined {
  if (!Array.isArray(given)) return undefined;
  const charts = given
    .filter((one): one is Record<string, unknown> => typeof one === "object" && one !== null)
    .map((one) =>
      defined({
        title: text(one.title),
        keys: texts(one.keys),
        pattern: text(one.pattern),
        kind: oneOf(one.kind, PLOT_KINDS),
        columns: texts(one.columns),
      }),
    )
    .filter((one) => one.keys || one.pattern || one.kind);
  return charts.length ? charts : undefined;
}

function pairs(given: unknown): [string, string][] | undefined {
  if (!Array.isArray(given)) return undefined;
  const found = given.map(texts).filter((one): one is [string, string] => one?.length === 2);
  return found.length ? found : undefined;
}

function defined(chart: OwnChart): OwnChart {
  return Object.fromEntries(Object.entries(chart).filter(([, value]) => value !== undefined));
}
