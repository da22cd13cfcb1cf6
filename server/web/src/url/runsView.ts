import type { ChartLook } from "../charts/Chart";
import type { Axis } from "../charts/ticks";
import { flag, text, texts } from "./search";

/** Everything that the runs page shows, as it stands in the address; what is left out is the usual. */
export interface RunsView {
  q?: string;
  deleted?: true;
  view?: "table" | "charts";
  columns?: string[];
  order?: string;
  descending?: true;
  hidden?: string[];
  metrics?: string;
  axis?: Exclude<Axis, "step">;
  smoothing?: number;
  logY?: true;
  logX?: true;
  outliers?: "ignored";
  band?: "off";
}

export function readRunsView(given: Record<string, unknown>): RunsView {
  const smoothing = Number(given.smoothing);
  return {
    q: text(given.q),
    deleted: flag(given.deleted),
    view: oneOf(given.view, ["table", "charts"]),
    columns: texts(given.columns),
    order: text(given.order),
    descending: flag(given.descending),
    hidden: texts(given.hidden),
    metrics: text(given.metrics),
    axis: oneOf(given.axis, ["time", "relative"]),
    smoothing: smoothing > 0 && smoothing < 1 ? smoothing : undefined,
    logY: flag(given.logY),
    logX: flag(given.logX),
    outliers: oneOf(given.outliers, ["ignored"]),
    band: oneOf(given.band, ["off"]),
  };
}

/** How charts are drawn in a view. */
export function chartLook(view: RunsView): ChartLook {
  return {
    axis: view.axis ?? "step",
    logX: view.logX ?? false,
    logY: view.logY ?? false,
    band: view.band !== "off",
    ignoreOutliers: view.outliers === "ignored",
    smoothing: view.smoothing ?? 0,
  };
}

function oneOf<T extends string>(given: unknown, known: readonly T[]): T | undefined {
  return known.find((one) => one === given);
}
