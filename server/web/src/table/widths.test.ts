import { describe, expect, it } from "vitest";

import { readWidths, widthOf, withWidth } from "./widths";

describe("widths of columns", () => {
  it("are the usual ones until somebody changes them", () => {
    const widths = withWidth({}, "metrics.loss", 200.4);
    expect([widthOf("metrics.loss", widths), widthOf("params.lr", widths)]).toEqual([200, 128]);
    expect(withWidth(widths, "metrics.loss", 128)).toEqual({});
    expect(withWidth(widths, "metrics.loss", null)).toEqual({});
  });

  it("stay such that they can be read", () => {
    expect(withWidth({}, "params.lr", 2)).toEqual({ "params.lr": 56 });
    expect(withWidth({}, "params.lr", 1e9)).toEqual({ "params.lr": 1_200 });
    expect(withWidth({}, "run_name", 20)).toEqual({ run_name: 180 });
  });

  it("are read from whatever stands there", () => {
    expect(readWidths({ a: 99, b: "wide", c: Number.NaN, d: null })).toEqual({ a: 99 });
    expect([readWidths(null), readWidths([1]), readWidths({}), readWidths("a")]).toEqual(Array(4).fill(undefined));
  });
});
