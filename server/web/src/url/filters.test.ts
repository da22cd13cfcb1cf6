import { expect, it } from "vitest";

import { experimentFilter } from "./filters";

it.each([
  ["", ""],
  ["  iris ", "name ILIKE '%iris%'"],
  ["it's", "name ILIKE '%it''s%'"],
  ["tags.team = 'a'", "tags.team = 'a'"],
  ["name LIKE 'a%'", "name LIKE 'a%'"],
])("reads %j as %j", (text, filter) => expect(experimentFilter(text)).toBe(filter));
