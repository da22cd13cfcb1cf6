import { expect, test } from "vitest";

import { COLORS, colorNumber, giveColors } from "./colors";

const NONE = new Map<string, number>();
// The hash gives all of them the same colour.
const alike = (count: number): string[] =>
  Array.from({ length: count }, (_, place) => (COLORS * place).toString(16).padStart(8, "0"));

function colorsOf(ids: string[], given: Map<string, number>): number[] {
  return ids.map((id) => given.get(id) ?? -1);
}

test("as many runs as there are colours differ, and more of them share evenly", () => {
  const given = new Map<string, number>();
  const ids = alike(2 * COLORS);
  giveColors(given, { kept: [], coming: ids, rest: [] }, NONE);
  expect(new Set(colorsOf(ids.slice(0, COLORS), given)).size).toBe(COLORS);
  expect(new Set(colorsOf(ids.slice(COLORS), given)).size).toBe(COLORS);
});

test("a run alone has the colour of its id", () => {
  const given = new Map<string, number>();
  giveColors(given, { kept: [], coming: ["0000000d"], rest: [] }, NONE);
  expect(given.get("0000000d")).toBe(colorNumber("0000000d"));
});

test("runs in view keep their colours; who comes takes another", () => {
  const given = new Map([
    ["a", 3],
    ["b", 3],
    ["c", 3],
  ]);
  giveColors(given, { kept: ["a", "b"], coming: ["c"], rest: ["a", "b", "c"] }, NONE);
  expect(colorsOf(["a", "b", "c"], given)).toEqual([3, 3, 4]);
});

test("nobody gets the colour that was chosen for another, which stays", () => {
  const given = new Map<string, number>();
  const [first = "", second = ""] = alike(2);
  giveColors(given, { kept: [], coming: [second, first], rest: [] }, new Map([[first, colorNumber(second)]]));
  expect(given.get(second)).not.toBe(colorNumber(second));
  expect(given.has(first)).toBe(false);
});
