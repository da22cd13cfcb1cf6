import { expect, it } from "vitest";

import { ownSpecs, rearranged, specsOf } from "./specs";

it("puts what differs in its split alone into one chart", () => {
  const charts = specsOf(["train/loss", "val/loss", "loss", "val_acc", "acc", "lr", "net/train/norm"], true);
  expect(charts.map(({ title, metrics }) => [title, metrics])).toEqual([
    ["loss", ["train/loss", "val/loss", "loss"]],
    ["acc", ["val_acc", "acc"]],
    ["lr", ["lr"]],
    ["net/train/norm", ["net/train/norm"]],
  ]);
  expect(specsOf(["trainer/steps", "test"], true).map(({ title }) => title)).toEqual(["trainer/steps", "test"]);
});

it("makes charts of chosen metrics and of regular expressions, as far as they are there", () => {
  const [chosen, found, bad] = ownSpecs(
    [{ keys: ["b", "gone"] }, { pattern: "^a" }, { pattern: "(" }],
    ["a1", "a2", "b"],
    1,
  );
  expect(chosen?.metrics).toEqual(["b"]);
  expect([found?.title, found?.metrics]).toEqual(["^a", ["a1"]]);
  expect(bad?.metrics).toEqual([]);
});

it("moves charts before others, and passes over those that are gone", () => {
  const charts = ["a", "b", "c"].map((id) => ({ id }));
  const ids = (moved: [string, string][]) => rearranged(charts, moved).map(({ id }) => id);
  expect(ids([["c", "a"]])).toEqual(["c", "a", "b"]);
  expect(ids([["a", "c"]])).toEqual(["b", "a", "c"]);
  expect(
    ids([
      ["x", "a"],
      ["a", "x"],
      ["a", "a"],
    ]),
  ).toEqual(["a", "b", "c"]);
});
