import { expect, it } from "vitest";

import { cut, fitted, splitAt, withoutOverlap } from "./names";

it.each([
  ["short", "short"],
  ["a-name-that-is-long", "a-nam…long"],
])("cuts the middle of %s", (name, text) => expect(cut(name, 10)).toBe(text));

it("cuts through no character", () => {
  expect(splitAt("ab🦊cd", 3)).toEqual(["ab", "🦊cd"]);
  expect(splitAt("ab🦊cd", 4)).toEqual(["ab🦊", "cd"]);
  expect(cut("🦊🦊🦊🦊🦊🦊🦊", 9)).toBe("🦊🦊…🦊🦊");
  expect(fitted(["same 🦊🦊🦊🦊", "same 🐻🐻🐻🐻"], 7)).toEqual(["…🦊🦊…", "…🐻🐻…"]);
});

it("lets names begin where they differ", () => {
  expect(fitted(["checkpoint-019-of-a-run", "checkpoint-010-of-a-run"], 12)).toEqual(["…019-of-a-r…", "…010-of-a-r…"]);
  expect(fitted(["checkpoint-1", "checkpoint-12"], 10)).toEqual(["…1", "…12"]);
  expect(fitted(["checkpoint-1", "other-checkpoint"], 10)).toEqual(["check…nt-1", "other…oint"]);
  expect(fitted(["run-1", "run-2"], 10)).toEqual(["run-1", "run-2"]);
});

it("leaves labels out that would lie over others", () => {
  expect([...withoutOverlap([0, 10, 20, 30, 40], [18, 18, 18, 18, 18])]).toEqual([0, 2, 4]);
  expect([...withoutOverlap([0, 50, 60], [18, 18, 4])]).toEqual([0, 1]);
  expect([...withoutOverlap([0, 50], [18, 18])]).toEqual([0, 1]);
});
