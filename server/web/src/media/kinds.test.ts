import { expect, it } from "vitest";

import { kindOf, languageOf } from "./kinds";

it.each([
  ["plots/roc.PNG", "image"],
  ["a.tar.gz", "none"],
  ["model/MLmodel", "text"],
  ["report.html", "html"],
  ["data.csv", "table"],
  ["README", "text"],
  ["weights", "none"],
])("shows %s as %s", (path, kind) => expect(kindOf(path)).toBe(kind));

it.each([
  ["train.py", "python"],
  ["conda.yaml", "yaml"],
  ["model/MLmodel", "yaml"],
  ["notes.txt", undefined],
])("highlights %s as %s", (path, language) => expect(languageOf(path)).toBe(language));
