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

it("knows fields of runs, and refuses the rest", () => {
  expect(column("start_time")?.kind).toBe("attribute");
  expect([column("nothing"), column("metrics."), column("")]).toEqual([null, null, null]);
});
