import { describe, expect, it } from "vitest";

import { nearest, toColumns } from "./series";

const sample = (run: number, xs: bigint[], values: number[]) => ({
  run,
  key: 0,
  firstX: xs,
  lastX: xs,
  minimum: values,
  maximum: values,
  mean: values,
  count: xs.map(() => 1n),
  nonFiniteCount: values.map((value) => (Number.isFinite(value) ? 0n : 1n)),
  firstXValue: [],
  lastXValue: [],
});

describe("columns", () => {
  it("keep distances exact where doubles could not hold the steps", () => {
    const far = 2n ** 62n;
    const { base, series } = toColumns(
      [sample(0, [far, far + 1n], [1, 2]), sample(1, [far + 3n], [3])],
      ["a", "b"],
      ["loss"],
    );
    expect(base).toBe(far);
    expect(series.map((one) => [...one.from])).toEqual([[0, 1], [3]]);
    expect(series[1]?.runId).toBe("b");
  });

  it("leave out series without points", () => {
    expect(toColumns([sample(0, [], [])], ["a"], ["loss"]).series).toEqual([]);
  });
});

it("finds the nearest bucket", () => {
  const [series] = toColumns([sample(0, [0n, 10n, 20n], [1, 2, 3])], ["a"], ["loss"]).series;
  if (!series) throw new Error("there is one");
  expect([-5, 4, 5, 6, 14, 100].map((x) => nearest(series, x))).toEqual([0, 0, 0, 1, 1, 2]);
});
