import { expect, it } from "vitest";

import { chartLook, readChartsView, withOne } from "./chartsView";

it("reads what it wrote, and nothing else", () => {
  const view = {
    axis: "metric:train/tokens",
    smoothing: 0.6,
    logY: true,
    size: "huge",
    own: [{ keys: ["a", "b"] }, { title: "all", pattern: "loss" }, { kind: "box", columns: ["params.lr"] }],
    moved: [["b", "a"]],
    each: [["train/loss", { logY: false, shape: "bars", zoom: ["step", "1", "20"] }]],
    closed: ["train"],
  } as const;
  expect(readChartsView({ ...view })).toMatchObject(view);
  expect(
    readChartsView({
      axis: "metric:",
      smoothing: 1,
      logY: "maybe",
      own: [null, {}, "x"],
      moved: [["a"], 3],
      each: [3, ["a"]],
    }),
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

it("keeps of single charts what is not usual, the last ones", () => {
  const bars = withOne(undefined, "a", { shape: "bars" });
  expect(withOne(bars, "a", { logY: true })).toEqual([["a", { shape: "bars", logY: true }]]);
  expect(withOne(bars, "a", { shape: undefined })).toBeUndefined();
  let each = bars;
  for (let number = 0; number < 40; number++) each = withOne(each, String(number), { logY: true });
  expect(each?.map(([id]) => id).slice(-1)).toEqual(["39"]);
  expect(each).toHaveLength(30);
});
