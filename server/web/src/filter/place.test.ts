import { expect, it } from "vitest";

import { placeAt } from "./place";

it.each([
  ["", "field", ""],
  ["metr", "field", "metr"],
  ["metrics.lo", "field", "metrics.lo"],
  ["metrics.`my lo", "field", "metrics.`my lo"],
  ["metrics.`my loss`", "nothing", ""],
  ["metrics.loss ", "operator", ""],
  ["metrics.loss <", "value", ""],
  ["metrics.loss < 0.1 ", "join", ""],
  ["metrics.loss < 0.1 AND ", "field", ""],
  ["NOT (params.lr = '1' OR ta", "field", "ta"],
  ["params.opt = ", "value", ""],
  ["params.opt = 'ad", "value", "'ad"],
  ["params.opt = 'adam'", "nothing", ""],
  ["params.opt IN (", "value", ""],
  ["params.opt IN ('a', 'b", "value", "'b"],
  ["params.opt IN ('a') ", "join", ""],
  ["params.opt IS ", "null", ""],
  ["params.opt IS NOT ", "null", ""],
  ["metrics.loss BETWEEN 1 ", "and", ""],
  ["metrics.loss BETWEEN 1 AND ", "value", ""],
  ["metrics.loss BETWEEN 1 AND 2 AND ", "field", ""],
  ["params.opt NOT LIKE ", "value", ""],
  ["min(metr", "field", "metr"],
  ["min(metrics.loss) ", "operator", ""],
  ["status = ", "value", ""],
])("at the end of %j expects a %s after %j", (filter, expects, typed) => {
  expect(placeAt(filter, filter.length)).toMatchObject({ expects, typed });
});

it("knows what is compared, and in the middle too", () => {
  expect(placeAt("params.opt = 'a", 15).field).toBe("params.opt");
  expect(placeAt("min(metrics.loss) < ", 20).field).toBe("min(metrics.loss)");
  expect(placeAt("mean(x", 6).inside).toBe("mean");
  expect(placeAt("params.o = 'x'", 8)).toMatchObject({ expects: "field", from: 0, typed: "params.o" });
});
