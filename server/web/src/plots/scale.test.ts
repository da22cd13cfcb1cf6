import { describe, expect, it } from "vitest";

import { roundTicks, scaleOf } from "./scale";

describe("a scale", () => {
  it("is of numbers when all values are some, also as texts", () => {
    const scale = scaleOf("layers", ["2", 4, undefined, "nan", Number.POSITIVE_INFINITY]);
    expect([scale.at("2"), scale.at(3), scale.at("4")]).toEqual([0, 0.5, 1]);
    expect([scale.at(undefined), scale.at("nan"), scale.at(Number.POSITIVE_INFINITY)]).toEqual([NaN, NaN, NaN]);
  });

  it("is logarithmic where positive numbers differ much", () => {
    const scale = scaleOf("lr", ["1e-5", 1e-3, "0.1"]);
    expect([scale.isLog, scale.at(1e-3)]).toEqual([true, expect.closeTo(0.5)]);
    expect(scale.ticks.map(({ label }) => label)).toContain("0.001");
    expect(scaleOf("x", [-1, 1_000]).isLog).toBe(false);
    expect(scaleOf("dropout", [0.001, 0.2, 0.3, 0.5]).isLog).toBe(false);
  });

  it("is of texts otherwise, in natural order", () => {
    const scale = scaleOf("opt", ["sgd", "adam", "adam10", "adam9", ""]);
    expect(scale.categories).toEqual(["", "adam", "adam9", "adam10", "sgd"]);
    expect(scale.at("adam9")).toBeCloseTo(0.5);
  });

  it("has room around one value, and something for none", () => {
    expect(scaleOf("x", [3]).at(3)).toBeCloseTo(0.5);
    expect(scaleOf("x", []).ticks.length).toBeGreaterThan(1);
    expect(scaleOf("x", [-1.7e308, 1.7e308]).at(0)).toBeCloseTo(0.5);
  });
});

it("finds round ticks", () => {
  expect(roundTicks(0, 1)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
  expect(roundTicks(3, 97)).toEqual([20, 40, 60, 80]);
});
