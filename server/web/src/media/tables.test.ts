import { expect, it } from "vitest";

import { cellText, loggedTable, pictureOf } from "./tables";

it("reads what log_table writes, and nothing else", () => {
  expect(loggedTable('{"columns": ["a", 1], "data": [[1, null]]}')).toEqual({ columns: ["a", "1"], rows: [[1, null]] });
  for (const other of ["{}", "[1]", "3", "{", '{"columns": [], "data": [3]}']) expect(loggedTable(other)).toBeNull();
});

it("knows pictures in cells", () => {
  expect(pictureOf({ type: "image", filepath: "images/a.png" })).toBe("images/a.png");
  expect([pictureOf("a.png"), pictureOf(null), pictureOf({ type: "image" })]).toEqual([null, null, null]);
  expect([cellText(null), cellText({ a: 1 }), cellText(2)]).toEqual(["", '{"a":1}', "2"]);
});
