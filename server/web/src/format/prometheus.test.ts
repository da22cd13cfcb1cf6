import { expect, it } from "vitest";

import { growth, quantileBetween, readFigures } from "./prometheus";

const page = (count: number, slow: number) => `# HELP a_total what it is
# TYPE a_total counter
a_total{method="x, \\"y\\" 5"} ${count}
a_total{method="z"} 1.5e+01
lag_bucket{le="0.1",route="/"} ${count}
lag_bucket{le="1.0",route="/"} ${count + slow}
lag_bucket{le="+Inf",route="/"} ${count + slow}
`;

it("reads and sums figures", () => {
  expect(readFigures(page(3, 0)).sums.get("a_total")).toBe(18);
  expect(readFigures("nonsense\n\n{}").sums.size).toBe(0);
});

it("tells what happened between two looks", () => {
  const [before, now] = [readFigures(page(100, 0)), readFigures(page(110, 5))];
  expect(growth(before, now, "a_total")).toBe(10);
  expect(growth(now, before, "a_total")).toBe(115);
  expect([0.5, 0.99].map((part) => quantileBetween(before, now, "lag", part))).toEqual([0.1, 1]);
  expect(quantileBetween(now, now, "lag", 0.5)).toBeNull();
});
