import { expect, it } from "vitest";

import { chartLook, readRunsView } from "./runsView";

it("reads what it wrote, and nothing else", () => {
  const view = {
    q: "a = 1",
    view: "table",
    columns: ["metrics.loss"],
    axis: "time",
    smoothing: 0.6,
    logY: true,
  } as const;
  expect(readRunsView({ ...view })).toMatchObject(view);
  expect(readRunsView({ view: "x", axis: 3, smoothing: 1, columns: "y", logY: "maybe" })).toEqual({});
});

it("draws steps with a band, unsmoothed, unless told otherwise", () => {
  expect(chartLook({})).toEqual({
    axis: "step",
    logX: false,
    logY: false,
    band: true,
    ignoreOutliers: false,
    smoothing: 0,
  });
});
