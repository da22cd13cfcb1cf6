import { expect, it } from "vitest";

import { matching, sections } from "./sections";

it("puts metrics into sections by prefix, in natural order", () => {
  expect(sections(["loss", "layers/10/norm", "layers/2/norm", "val/loss", "val/acc", "/odd"])).toEqual([
    { prefix: "", metrics: ["/odd", "loss"] },
    { prefix: "layers/2", metrics: ["layers/2/norm"] },
    { prefix: "layers/10", metrics: ["layers/10/norm"] },
    { prefix: "val", metrics: ["val/acc", "val/loss"] },
  ]);
});

it("finds by regular expressions, and says when one is none", () => {
  expect(matching(["Loss", "acc"], "^l")).toEqual(["Loss"]);
  expect(matching(["a"], "(")).toBeNull();
  expect(matching(["a"], "")).toEqual(["a"]);
});
