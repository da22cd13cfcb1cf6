import { expect, it } from "vitest";

import { firstLine } from "./markdown";

it.each([
  ["Ablations of **strength**.", "Ablations of strength."],
  ["\n\n## A `sweep`\nmore", "A sweep"],
  ["- see [the paper](https://example.org), *really*", "see the paper, really"],
  ["a_b_c * 2 * 3", "a_b_c * 2 * 3"],
  ["<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>"],
])("says %j in a line", (markdown, line) => expect(firstLine(markdown)).toBe(line));
