import { expect, it } from "vitest";

import { ago, duration, iso } from "./times";

it.each([
  [3_000, "just now"],
  [59_000, "59 s ago"],
  [61_000, "1 min ago"],
  [2 * 3_600_000, "2 h ago"],
  [3 * 86_400_000, "3 d ago"],
])("tells that %d ms ago was %s", (passed, text) => expect(ago(1e12 - passed, 1e12)).toBe(text));

it.each([
  [250, "0.25 s"],
  [9_994, "9.99 s"],
  [65_000, "1 min 5 s"],
  [3_600_000, "1 h"],
  [2 * 86_400_000 + 3 * 3_600_000, "2 d 3 h"],
])("shows %d ms as %s", (length, text) => expect(duration(length)).toBe(text));

it("gives ISO times with an offset that lead back to the moment", () => {
  expect(new Date(iso(1_700_000_000_123)).getTime()).toBe(1_700_000_000_123);
});
