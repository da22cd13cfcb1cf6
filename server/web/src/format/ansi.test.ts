import { expect, it } from "vitest";

import { painted, plain } from "./ansi";

it("reads colours and leaves out all other codes", () => {
  expect(painted("a\u001b[1;31mred\u001b[0m b\u001b[2K")).toEqual([
    { text: "a", color: null, bold: false },
    { text: "red", color: 1, bold: true },
    { text: " b", color: null, bold: false },
  ]);
  expect(plain("\u001b[38;5;196mx\u001b[38;2;1;31;3my\u001b]0;title\u0007z\u001b]8;;http://evil\u001b\\link")).toBe(
    "xyzlink",
  );
});

it("shows nothing that turns a line around or cannot be seen", () => {
  expect(plain("ab\u202ecd\u0000\u0008\u2066e\t")).toBe("abcde\t");
  expect(plain("<script>alert(1)</script>\u001b[")).toBe("<script>alert(1)</script>[");
});
