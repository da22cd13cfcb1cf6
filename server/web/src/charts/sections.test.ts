import { expect, it } from "vitest";

import { matching, sections } from "./sections";

it("puts metrics into sections by prefix, in natural order", () => {
  const charts = ["loss", "layers/10/norm", "layers/2/norm", "val/loss", "val/acc", "/odd"].map((title) => ({ title }));
  expect(sections(charts).map(({ prefix, charts: inside }) => [prefix, inside.map(({ title }) => title)])).toEqual([
    ["", ["/odd", "loss"]],
    ["layers", ["layers/2/norm", "layers/10/norm"]],
    ["val", ["val/acc", "val/loss"]],
  ]);
});

it("finds by regular expressions, and says when one is none", () => {
  expect(matching(["Loss", "acc"], "^l")).toEqual(["Loss"]);
  expect(matching(["a"], "(")).toBeNull();
  expect(matching(["a"], "")).toEqual(["a"]);
});
