import { expect, it } from "vitest";

import { readRunsView } from "./runsView";

it("reads what it wrote, and nothing else", () => {
  const view = { q: "a = 1", view: "table", columns: ["metrics.loss"], axis: "time", smoothing: 0.6 } as const;
  expect(readRunsView({ ...view })).toMatchObject(view);
  expect(readRunsView({ open: [] })).toEqual({ open: [] });
  expect(readRunsView({ view: "x", axis: 3, columns: "y" })).toEqual({});
});
