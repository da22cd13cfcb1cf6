import { describe, expect, it } from "vitest";

import { appended, nearest, toColumns } from "./series";

const sample = (run: number, xs: bigint[], values: number[]) => ({
  run,
  firstX: xs,
  lastX: xs,
  minimum: values,
  maximum: values,
  mean: values,
  count: xs.map(() => 1n),
  nonFiniteCount: values.map((value) => (Number.isFinite(value) ? 0n : 1n)),
});

describe("columns", () => {
  it("keep distances exact where doubles could not hold the steps", () => {
    const far = 2n ** 62n;
    const { base, series } = toColumns([sample(0, [far, far + 1n], [1, 2]), sample(1, [far + 3n], [3])], ["a", "b"]);
    expect(base).toBe(far);
    expect(series.map((one) => [...one.from])).toEqual([[0, 1], [3]]);
    expect(series[1]?.runId).toBe("b");
  });

  it("leave out series without points", () => {
    expect(toColumns([sample(0, [], [])], ["a"]).series).toEqual([]);
  });
});

it("finds the nearest bucket", () => {
  const [series] = toColumns([sample(0, [0n, 10n, 20n], [1, 2, 3])], ["a"]).series;
  if (!series) throw new Error("there is one");
  expect([-5, 4, 5, 6, 14, 100].map((x) => nearest(series, x))).toEqual([0, 0, 0, 1, 1, 2]);
});

describe("appended", () => {
  const { base, series } = toColumns([sample(0, [5n, 6n], [1, 2])], ["a"]);
  const [one] = series;
  if (!one) throw new Error("there is one");

  it("adds what lies behind the end", () => {
    const more = appended(one, base, [7n, 9n], [3, Number.NaN]);
    expect([...(more?.from ?? [])]).toEqual([0, 1, 2, 4]);
    expect([...(more?.odd ?? [])]).toEqual([0, 0, 0, 1]);
    expect(more?.mean.at(-1)).toBeNaN();
  });

  it("refuses what does not", () => {
    expect(appended(one, base, [6n], [3])).toBeNull();
    expect(appended(one, base, [8n, 7n], [3, 4])).toBeNull();
  });
});
