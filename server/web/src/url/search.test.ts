import { expect, it } from "vitest";

import { flag, text, texts, whole, wholes } from "./search";

it("takes what it knows and nothing else", () => {
  expect([text("a"), text(""), text(3), text({})]).toEqual(["a", undefined, "3", undefined]);
  expect([flag(true), flag("true"), flag("no"), flag(1)]).toEqual([true, true, undefined, undefined]);
  expect([texts(["a", "", 2]), texts("a"), texts([])]).toEqual([["a", "2"], undefined, undefined]);
});

it("keeps 64 bits", () => {
  expect(whole("9223372036854775807")).toBe(9223372036854775807n);
  expect([whole("x"), whole("1e3"), whole("")]).toEqual([undefined, undefined, undefined]);
});

it("takes several experiments", () => {
  expect([wholes("3"), wholes("3,4,3"), wholes("3,x"), wholes("")]).toEqual([[3n], [3n, 4n], undefined, undefined]);
});
