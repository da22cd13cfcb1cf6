import { expect, it } from "vitest";

import { rangeOfX, rangeOfY } from "./ranges";
import type { Series } from "./series";

const series = (values: number[]): Series => {
  const x = Float64Array.from(values, (_, place) => place);
  const y = Float64Array.from(values);
  return { runId: "a", key: "loss", from: x, to: x, low: y, high: y, mean: y, odd: x, count: x };
};
const plain = { log: false, ignoreOutliers: false };

it("covers every spike unless outliers are left out", () => {
  const spiky = series([...Array<number>(99).fill(1), 1_000]);
  expect(rangeOfY([spiky], plain)[1]).toBeGreaterThan(1_000);
  expect(rangeOfY([spiky], { log: false, ignoreOutliers: true })[1]).toBeLessThan(2);
});

it("has room around a constant, and something for nothing", () => {
  const [low, high] = rangeOfY([series([3, 3])], plain);
  expect(low).toBeLessThan(3);
  expect(high).toBeGreaterThan(3);
  expect(rangeOfY([], plain)).toEqual([-0.05, 1.05]);
  expect(rangeOfX([])).toEqual([0, 1]);
});

it("takes positive values alone for a log axis", () => {
  const [low] = rangeOfY([series([-1, 0, 0.1, 10])], { log: true, ignoreOutliers: false });
  expect(low).toBeCloseTo(0.1 / 1.1);
});
