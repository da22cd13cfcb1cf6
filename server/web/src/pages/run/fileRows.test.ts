import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";

import { ArtifactSchema } from "../../gen/stepwell_api/v1/artifacts_pb";
import { fileRows, foldersAbove, type Loaded } from "./fileRows";

const loaded = (paths: string[], hasMore = false): Loaded => ({
  artifacts: paths.map((path) =>
    create(ArtifactSchema, { path: path.replace(/\/$/, ""), isFolder: path.endsWith("/") }),
  ),
  hasMore,
});

test("open folders have their files below them, as far as they are known", () => {
  const known = new Map([
    ["", loaded(["a/", "b/", "c.txt"])],
    ["a", loaded(["a/1.txt", "a/2/"], true)],
  ]);
  const rows = fileRows("", new Set(["a", "a/2"]), known);
  expect(rows.map(({ kind, path, depth }) => `${"  ".repeat(depth)}${kind} ${path}`)).toEqual([
    "folder a",
    "  file a/1.txt",
    "  folder a/2",
    "  more a",
    "folder b",
    "file c.txt",
  ]);
  expect(fileRows("a", new Set(), known).map(({ path }) => path)).toEqual(["a/1.txt", "a/2", "a"]);
});

test("what did not come of a folder is told where it would stand", () => {
  const error = new Error("away");
  const known = new Map([
    ["", { ...loaded(["a/", "b.txt"], true), error }],
    ["a", { ...loaded([]), error }],
  ]);
  const rows = fileRows("", new Set(["a"]), known);
  expect(rows.map(({ kind, path, depth }) => `${"  ".repeat(depth)}${kind} ${path}`)).toEqual([
    "folder a",
    "  failure a",
    "file b.txt",
    "failure ",
  ]);
});

test("the folders above a file", () => {
  expect(foldersAbove("a/b/c.txt", "")).toEqual(["a", "a/b"]);
  expect(foldersAbove("a/b/c.txt", "a")).toEqual(["a/b"]);
  expect(foldersAbove("c.txt", "")).toEqual([]);
});
