import { expect, test } from "vitest";

import { boundsOf, zoomOf } from "./zoom";

test("a part of x is the same when it comes back from the address", () => {
  const steps = { from: -5n, to: 4_611_686_018_427_387_904n };
  expect(boundsOf(zoomOf("step", steps), "step")).toEqual(steps);
  const values = { from: 0.1, to: 1e-9 };
  expect(boundsOf(zoomOf("metric:epoch", values), "metric:epoch")).toEqual(values);
});

test("steps are no times, and what is no number is no part", () => {
  expect(boundsOf(["step", "1", "2"], "time")).toBeNull();
  expect(boundsOf(["step", "1.5", "2"], "step")).toBeNull();
  expect(boundsOf(["metric:epoch", "NaN", "2"], "metric:epoch")).toBeNull();
  expect(boundsOf(undefined, "step")).toBeNull();
});
