import { expect, it } from "vitest";

import { addressOf, viewAt } from "./savedView";

it("keeps a view whole, but for what is selected", () => {
  const view = { q: "metrics.`a b` < 1 AND tags.x = '&=#'", columns: ["min(metrics.loss)"], descending: true } as const;
  const kept = { ...view, columns: [...view.columns] };
  expect(viewAt(addressOf({ ...kept, saved: "3", everything: true, selected: ["a".repeat(32)] }))).toMatchObject(kept);
  expect(addressOf({ saved: "3", everything: true })).toBe("");
});

it("reads nothing of what is no view", () => {
  const odd = viewAt("q=%00<script>&view=evil&open=3&__proto__=x&baseline=nobody");
  expect({ ...odd, q: undefined }).toEqual({ ...viewAt(""), q: undefined });
});
