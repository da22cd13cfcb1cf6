import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";

import { SampleGroupsResponseSchema } from "../gen/stepwell_api/v1/series_pb";
import { coverOf, groupLines } from "./groups";

const line = (group: number, found: number, read: number, withPoints: number, key = 0) =>
  create(SampleGroupsResponseSchema, {
    group,
    key,
    firstX: [0n, 5n],
    lastX: [4n, 9n],
    mean: [3, 2],
    deviation: [1, 0.5],
    minimum: [0, 1],
    maximum: [9, 4],
    runs: [3n, 2n],
    count: [30n, 20n],
    nonFiniteCount: [0n, 1n],
    foundRuns: BigInt(found),
    readRuns: BigInt(read),
    runsWithPoints: BigInt(withPoints),
  });
const names = ["0.1", "0.2"];

describe("lines of groups", () => {
  it("are the means, with a band of one deviation or from the least run to the greatest", () => {
    const [series] = groupLines([line(1, 3, 3, 3)], ["a", "b"], ["loss"], "deviation", false).series;
    expect([series?.runId, series?.key]).toEqual(["b", "loss"]);
    expect([series?.mean, series?.low, series?.high].map((it) => [...(it ?? [])])).toEqual([
      [3, 2],
      [2, 1.5],
      [4, 2.5],
    ]);
    expect([...(series?.runs ?? [])]).toEqual([3, 2]);
    const [extremes] = groupLines([line(1, 3, 3, 3)], ["a", "b"], ["loss"], "extremes", false).series;
    expect([extremes?.low, extremes?.high].map((it) => [...(it ?? [])])).toEqual([
      [0, 1],
      [9, 4],
    ]);
  });
});

describe("what is said of the runs of groups", () => {
  it("is how many there are", () => {
    const cover = coverOf([line(0, 1200, 1200, 1200), line(1, 10, 10, 8)], names);
    expect(cover?.short).toBe("1,208 runs");
    expect(cover?.full).toBe("0.1: mean of 1,200 runs\n0.2: mean of 8 runs; 2 more have no points here");
  });

  it("is which ones, where not all were read; and each group counts once, however many metrics a chart has", () => {
    const cover = coverOf([line(0, 1200, 1000, 900), line(0, 1200, 1000, 1000, 1), line(1, 1, 1, 1)], names);
    expect(cover?.short).toBe("newest 1,001 of 1,201 runs");
    expect(cover?.full).toBe("0.1: mean of 1,000 runs, the newest of 1,200\n0.2: mean of 1 run");
  });

  it("is nothing where there is no line", () => {
    expect(coverOf([], names)).toBeNull();
  });
});
