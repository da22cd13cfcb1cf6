/** What a plot of runs is, and which axes it has; the last ones may be left out. */
export type PlotKind = "scatter" | "parallel" | "contour" | "box" | "bar" | "histogram";

export const PLOTS: Record<PlotKind, { label: string; axes: string[]; needed: number }> = {
  scatter: { label: "Scatter", axes: ["x", "y", "Colour"], needed: 2 },
  parallel: { label: "Parallel coordinates", axes: [], needed: 2 },
  contour: { label: "Contour", axes: ["x", "y", "Colour"], needed: 3 },
  box: { label: "Box", axes: ["Value", "Group by"], needed: 1 },
  bar: { label: "Bar", axes: ["Value"], needed: 1 },
  histogram: { label: "Histogram", axes: ["Value"], needed: 1 },
};

export const PLOT_KINDS = Object.keys(PLOTS) as PlotKind[];
/** Axes of parallel coordinates; more leave no room between them. */
export const PARALLEL_AXES_MAX = 20;
