import type { ChartLook } from "../charts/Chart";
import { SHAPES, type Shape } from "../charts/shapes";
import type { ChartSize } from "../charts/ChartGrid";
import type { Spread } from "../charts/groups";
import type { OwnChart } from "../charts/specs";
import type { Axis } from "../charts/ticks";
import type { Zoom } from "../charts/zoom";
import { PLOT_KINDS } from "../plots/kinds";
import { flag, oneOf, text, texts } from "./search";

/** How one chart is drawn where it is not as all of them are. */
export interface OneLook {
  logY?: boolean;
  shape?: Shape;
  zoom?: Zoom;
}

/** An address holds as many of them, the last ones. */
const EACH_MAX = 30;

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
  /** Charts that are not drawn as all are, by their ids. */
  each?: [string, OneLook][];
  /** Sections that are closed, by what their metrics begin with. */
  closed?: string[];
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
    each: eachOf(given.each),
    closed: texts(given.closed),
  };
}

/** The looks of single charts with that of one changed. */
export function withOne(each: ChartsView["each"], id: string, part: OneLook): ChartsView["each"] {
  const look = defined({ ...each?.find(([known]) => known === id)?.[1], ...part });
  const rest = (each ?? []).filter(([known]) => known !== id);
  const next: [string, OneLook][] = Object.keys(look).length ? [...rest, [id, look]] : rest;
  return next.length ? next.slice(-EACH_MAX) : undefined;
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

function eachOf(given: unknown): ChartsView["each"] {
  if (!Array.isArray(given)) return undefined;
  const found = given.flatMap((one): [string, OneLook][] => {
    const [id, look] = Array.isArray(one) ? (one as unknown[]) : [];
    if (typeof id !== "string" || typeof look !== "object" || look === null) return [];
    const { logY, shape, zoom } = look as Record<string, unknown>;
    const [axis, from, to] = texts(zoom) ?? [];
    const part = axis !== undefined && from !== undefined && to !== undefined ? ([axis, from, to] as Zoom) : undefined;
    const known = { logY: typeof logY === "boolean" ? logY : undefined, shape: oneOf(shape, SHAPES), zoom: part };
    return [[id, defined(known)]];
  });
  return found.length ? found.slice(-EACH_MAX) : undefined;
}

function pairs(given: unknown): [string, string][] | undefined {
  if (!Array.isArray(given)) return undefined;
  const found = given.map(texts).filter((one): one is [string, string] => one?.length === 2);
  return found.length ? found : undefined;
}

function defined<T extends object>(given: T): T {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as T;
}
