import { expect, it } from "vitest";

import { binsOf, boxOf, shade, surface } from "./statistics";

it("finds quartiles, whiskers and outliers", () => {
  expect(boxOf([1, 2, 3, 4, 5, 100])).toEqual({
    low: 1,
    first: 2.25,
    median: 3.5,
    third: 4.75,
    high: 5,
    outliers: [100],
    count: 6,
  });
  expect(boxOf([7])).toMatchObject({ low: 7, median: 7, high: 7, outliers: [] });
});

it("counts every value once", () => {
  const bins = binsOf([0, 0.1, 0.11, 0.5, 1, Number.NaN]);
  expect(bins.reduce((sum, { count }) => sum + count, 0)).toBe(5);
  expect([bins[0]?.from, bins.at(-1)?.to]).toEqual([0, 1]);
  expect(binsOf([])).toEqual([]);
});

it("draws a surface that passes near its points", () => {
  const grid = surface(
    [
      [0.05, 0.5, 0],
      [0.95, 0.5, 1],
    ],
    10,
    1,
  );
  expect(grid[0]).toBeCloseTo(0, 2);
  expect(grid[9]).toBeCloseTo(1, 2);
  expect(grid[4] as number).toBeLessThan(0.5);
});

it("shades from dark to light", () => {
  expect([shade(-1), shade(1), shade(0.5)]).toEqual(["rgb(68 57 145)", "rgb(246 222 38)", "rgb(31 161 135)"]);
});
