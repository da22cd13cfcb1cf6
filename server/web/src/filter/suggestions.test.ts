import { expect, it } from "vitest";

import { placeAt } from "./place";
import { fieldOfValues, suggestions } from "./suggestions";

const KEYS = { params: ["optimizer", "my lr"], metrics: ["val/loss", "loss"], tags: ["team"] };
const at = (filter: string, values: { value: string; runs: bigint }[] = []) =>
  suggestions(placeAt(filter, filter.length), KEYS, values).map((one) => one.insert);

it("offers keys by their beginning, with or without their kind", () => {
  expect(at("metrics.l")).toEqual(["metrics.loss ", "metrics.val/loss "]);
  expect(at("opt")).toEqual(["params.optimizer "]);
  expect(at("params.my")).toEqual(["params.`my lr` "]);
  expect(at("min(l")).toEqual(["metrics.loss) ", "metrics.val/loss) "]);
  expect(at("tags.x")).toEqual([]);
});

it("offers signs that fit", () => {
  expect(at("metrics.loss ")).toContain("BETWEEN ");
  expect(at("metrics.loss ")).not.toContain("LIKE ");
  expect(at("params.optimizer l")).toEqual(["LIKE "]);
  expect(at("params.optimizer = 'x' ")).toEqual(["AND ", "OR "]);
});

it("offers values, quoted whatever they are", () => {
  expect(at("status = 'f")).toEqual(["'FINISHED' ", "'FAILED' "]);
  expect(at("params.optimizer = ", [{ value: "it's", runs: 2n }])).toEqual(["'it''s' "]);
  expect(at("metrics.loss < ", [{ value: "x", runs: 1n }])).toEqual([]);
  expect(fieldOfValues(placeAt("tags.team = 'a", 14))).toBe("tags.team");
  expect(fieldOfValues(placeAt("status = ", 9))).toBeNull();
});
