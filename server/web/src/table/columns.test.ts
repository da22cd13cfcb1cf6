import { expect, it } from "vitest";

import { column, keyId } from "./columns";

it.each([
  ["loss", "metrics.loss"],
  ["val/loss", "metrics.val/loss"],
  ["my loss", "metrics.`my loss`"],
  ["a`b", 'metrics."a`b"'],
])("names the metric %j as %j, and reads it back", (key, id) => {
  expect(keyId("metrics", key)).toBe(id);
  expect(column(id)).toEqual({ id, kind: "metrics", key });
});

it.each([
  ["loss", "min", "min(metrics.loss)"],
  ["my (loss)", "mean", "mean(metrics.`my (loss)`)"],
] as const)("names what all points of %j have in common, %s, as %j", (key, of, id) => {
  expect(keyId("metrics", key, of)).toBe(id);
  expect(column(id)).toEqual({ id, kind: "metrics", key, of });
});

it("knows fields of runs, and refuses the rest", () => {
  expect(column("start_time")?.kind).toBe("attribute");
  const others = ["nothing", "metrics.", "", "toString", "min(params.lr)", "sum(metrics.loss)"];
  expect(others.map(column)).toEqual(others.map(() => null));
});
