import { expect, it } from "vitest";

import { nameFilter } from "./filters";

it.each([
  ["", ""],
  ["  iris ", "name ILIKE '%iris%'"],
  ["it's", "name ILIKE '%it''s%'"],
  ["tags.team = 'a'", "tags.team = 'a'"],
  ["a <b> = 1", "name ILIKE '%a <b> = 1%'"],
  ["NOT (name = 'a')", "NOT (name = 'a')"],
  ["name LIKE 'a%'", "name LIKE 'a%'"],
])("reads %j as %j", (text, filter) => expect(nameFilter(text)).toBe(filter));
