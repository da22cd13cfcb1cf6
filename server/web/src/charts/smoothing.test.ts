import { expect, it } from "vitest";

import { smoothed } from "./smoothing";

const x = Float64Array.from({ length: 5 }, (_, place) => place);

it("is off at 0 and keeps constants at any weight", () => {
  expect([...smoothed(x, Float64Array.of(1, 5, 2, 8, 3), 0)]).toEqual([1, 5, 2, 8, 3]);
  expect([...smoothed(x, Float64Array.of(2, 2, 2, 2, 2), 0.9)].map((value) => value.toFixed(9))).toEqual(
    Array(5).fill("2.000000000"),
  );
});

it("begins at the first value and passes over what is not finite", () => {
  const result = smoothed(x, Float64Array.of(1, Number.NaN, 3, 3, 3), 0.5);
  expect(result[0]).toBe(1);
  expect(result[1]).toBeNaN();
  expect(result[2]).toBeGreaterThan(1);
});

it("forgets more over a gap than over a step", () => {
  const near = smoothed(Float64Array.of(0, 1, 2, 3), Float64Array.of(0, 0, 0, 1), 0.9);
  const far = smoothed(Float64Array.of(0, 1, 2, 30), Float64Array.of(0, 0, 0, 1), 0.9);
  expect(far[3] as number).toBeGreaterThan(near[3] as number);
});
