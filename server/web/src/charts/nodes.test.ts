import { expect, test } from "vitest";

import { nodesOf, nodesTogether } from "./nodes";

test("machines share a chart for each thing that is measured", () => {
  const metrics = ["system/a/cpu", "system/b/cpu", "system/a/gpu_0", "system/cpu"];
  expect(nodesOf(metrics)).toEqual(["a", "b"]);
  expect(nodesTogether(metrics, 20).map(({ title, metrics }) => [title, metrics])).toEqual([
    ["system/cpu", ["system/a/cpu", "system/b/cpu", "system/cpu"]],
    ["system/gpu_0", ["system/a/gpu_0"]],
  ]);
});

test("a chart has a bounded number of lines", () => {
  const charts = nodesTogether(
    [1, 2, 3].map((node) => `system/n${node}/cpu`),
    2,
  );
  expect(charts.map(({ title, metrics }) => [title, metrics.length])).toEqual([
    ["system/cpu", 2],
    ["system/cpu (3 …)", 1],
  ]);
});
