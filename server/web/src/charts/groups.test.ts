import { describe, expect, it } from "vitest";

import { groupLines } from "./groups";
import type { Series } from "./series";

const run = (runId: string, x: number[], mean: number[]): Series => {
  const values = Float64Array.from(mean);
  return {
    runId,
    key: "loss",
    from: Float64Array.from(x),
    to: Float64Array.from(x),
    low: values,
    high: values,
    mean: values,
    odd: values.map((value) => Number(Number.isNaN(value))),
    count: new Float64Array(x.length).fill(1),
  };
};
const groups = new Map([
  ["a", "one"],
  ["b", "one"],
  ["c", "two"],
]);
const lines = (series: Series[], spread: "deviation" | "extremes" = "deviation", cells = 100) =>
  groupLines({ base: 7n, series }, groups, cells, spread).series;

describe("lines of groups", () => {
  it("are mean and standard deviation over their runs, at the places that these have", () => {
    const [one, two] = lines([run("a", [0, 1], [2, 3]), run("b", [0, 1], [4, 3]), run("c", [5], [1])]);
    expect([one?.runId, [...(one?.from ?? [])], [...(one?.mean ?? [])]]).toEqual(["one", [0, 1], [3, 3]]);
    expect(one?.high[0]).toBeCloseTo(3 + Math.SQRT2);
    expect([one?.low[1], one?.high[1]]).toEqual([3, 3]);
    expect([two?.runId, two?.mean[0], two?.low[0], two?.high[0]]).toEqual(["two", 1, 1, 1]);
  });

  it("may show the least and the greatest run", () => {
    const [one] = lines([run("a", [0, 1], [2, 3]), run("b", [0, 1], [4, 9])], "extremes");
    expect([[...(one?.low ?? [])], [...(one?.high ?? [])]]).toEqual([
      [2, 3],
      [4, 9],
    ]);
  });

  it("count a run between its points, and not outside of them", () => {
    const [one] = lines([run("a", [0, 10], [0, 10]), run("b", [4, 20], [8, 8])]);
    expect([...(one?.from ?? [])]).toEqual([0, 4, 10, 20]);
    expect([...(one?.mean ?? [])]).toEqual([0, 6, 9, 8]);
  });

  it("leave out what is no number, and runs without a group", () => {
    const [one, ...rest] = lines([run("a", [0, 1], [2, Number.NaN]), run("b", [0, 1], [4, 6]), run("x", [0], [99])]);
    expect([[...(one?.mean ?? [])], one?.odd[1], rest.length]).toEqual([[3, 6], 1, 0]);
  });

  it("have no more places than cells", () => {
    const x = Array.from({ length: 1_000 }, (_, place) => place);
    const [one] = lines([run("a", x, x), run("b", x, x)], "deviation", 10);
    expect([one?.from.length, one?.mean[0], one?.to.at(-1)]).toEqual([10, 49.5, 999]);
  });
});
