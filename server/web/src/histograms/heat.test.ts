import { expect, test } from "vitest";

import { allEdges, heatOf } from "./heat";

test("edges of equal width are filled in, others stay", () => {
  expect(allEdges({ edges: [0, 4], counts: [1n, 1n] })).toEqual([0, 2, 4]);
  expect(allEdges({ edges: [0, 1, 4], counts: [1n, 1n] })).toEqual([0, 1, 4]);
  expect(allEdges({ edges: [3, 3], counts: [5n] })).toEqual([3, 3]);
});

test("histograms with bins of their own are spread over the same rows", () => {
  const heat = heatOf(
    [
      { edges: [0, 2], counts: [10n] },
      { edges: [0, 4], counts: [0n, 0n, 0n, 4n] },
    ],
    4,
  );
  expect([heat.low, heat.high]).toEqual([0, 4]);
  // The first one is even over two of four rows, the second one all in the last.
  expect([...heat.cells]).toEqual([0.5, 0.5, 0, 0, 0, 0, 0, 1]);
});

test("one value, and no histogram at all, have a map, too", () => {
  expect([...heatOf([{ edges: [7, 7], counts: [3n] }], 2).cells]).toEqual([0, 1]);
  expect(heatOf([], 3)).toMatchObject({ low: 0, high: 1 });
});
