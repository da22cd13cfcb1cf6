import { expect, it } from "vitest";

import { stepLabel, xExact, valueLabels, xLabel } from "./ticks";

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
])("shows the value %d as %s", (value, label) => expect(valueLabels([value])).toEqual([label]));

it.each([
  [
    [0.9999, 0.99992, 0.99994],
    ["0.9999", "0.99992", "0.99994"],
  ],
  [
    [123_456_700, 123_456_800],
    ["123,456,700", "123,456,800"],
  ],
  [
    [1_000.01, 1_000.02],
    ["1,000.01", "1,000.02"],
  ],
  [
    [1, 1],
    ["1", "1"],
  ],
])("tells the values %j apart", (values, labels) => expect(valueLabels(values)).toEqual(labels));

it("keeps steps exact beyond what doubles hold", () => {
  expect(xExact("step", 2n ** 62n, 1)).toBe("step 4,611,686,018,427,387,905");
});

it("shows time since the start as a length", () => {
  expect(xLabel("relative", 0n, 65_000)).toBe("1 min 5 s");
});

it("names a time beyond the calendar by its number", () => {
  const time = 1_700_000_000_000_000_000n;
  expect([xLabel("time", time, 0), xExact("time", time, 0)]).toEqual(Array(2).fill("1,700,000,000,000,000,000 ms"));
});
