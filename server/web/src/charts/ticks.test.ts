import { expect, it } from "vitest";

import { stepLabel, xExact, xLabel, yLabel } from "./ticks";

it.each([
  [0n, "0"],
  [999n, "999"],
  [20_000n, "20k"],
  [57_500n, "57.5k"],
  [57_671n, "57,671"],
  [-3_000_000n, "-3M"],
])("shows step %s as %s", (step, label) => expect(stepLabel(step)).toBe(label));

it.each([
  [0.25, "0.25"],
  [1_500, "1,500"],
  [45_000, "45k"],
  [-2.5e8, "-250M"],
  [1e18, "1e18"],
  [1e-7, "1e-7"],
])("shows the value %d as %s", (value, label) => expect(yLabel(value)).toBe(label));

it("keeps steps exact beyond what doubles hold", () => {
  expect(xExact("step", 2n ** 62n, 1)).toBe("step 4,611,686,018,427,387,905");
});

it("shows time since the start as a length", () => {
  expect(xLabel("relative", 0n, 65_000)).toBe("1 min 5 s");
});
