import { expect, it } from "vitest";

import { chartLook, readChartsView } from "./chartsView";

it("reads what it wrote, and nothing else", () => {
  const view = {
    axis: "metric:train/tokens",
    smoothing: 0.6,
    logY: true,
    size: "huge",
    own: [{ keys: ["a", "b"] }, { title: "all", pattern: "loss" }, { kind: "box", columns: ["params.lr"] }],
    moved: [["b", "a"]],
  } as const;
  expect(readChartsView({ ...view })).toMatchObject(view);
  expect(
    readChartsView({ axis: "metric:", smoothing: 1, logY: "maybe", own: [null, {}, "x"], moved: [["a"], 3] }),
  ).toEqual({});
});

it("draws steps with a band, unsmoothed, unless told otherwise", () => {
  expect(chartLook({})).toEqual({
    axis: "step",
    logX: false,
    logY: false,
    band: true,
    ignoreOutliers: false,
    smoothing: 0,
    withHidden: false,
    spread: "deviation",
  });
});
