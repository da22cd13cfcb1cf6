import { create } from "@bufbuild/protobuf";
import { expect, it } from "vitest";

import { RunSchema, type Run } from "../gen/stepwell_api/v1/runs_pb";
import { RunGroupSchema } from "../gen/stepwell_api/v1/search_pb";
import type { RunsFound } from "../queries/runs";
import { groupRows, hitRows, treeRows, type TableRow } from "./rows";

const run = (runId: string): Run => create(RunSchema, { info: { runId } });
const found = (runs: string, kin: Record<string, [string, number]>, ancestors = "", nextPageToken = ""): RunsFound => ({
  runs: [...runs].map(run),
  kin: new Map(Object.entries(kin).map(([id, [above, children]]) => [id, { ancestors: [...above], children }])),
  ancestors: [...ancestors].map(run),
  nextPageToken,
});
const drawn = (rows: TableRow[]) =>
  rows.map((row) =>
    row.kind === "run"
      ? " ".repeat(row.depth) + row.run.info?.runId + (row.isHit ? "" : "?") + (row.isOpen === false ? "+" : "")
      : row.kind === "group"
        ? row.key
        : " ".repeat(row.depth) + "…",
  );

it("shows what is open, to any depth, and stops at a loop", () => {
  const pages = [found("ab", { a: ["", 2], b: ["", 0] })];
  expect(drawn(treeRows(pages, new Set(), new Map()))).toEqual(["a+", "b"]);
  const inside = new Map([
    ["a", found("cd", { c: ["a", 1], d: ["a", 1] }, "", "next")],
    ["c", found("ae", { a: ["c", 2], e: ["ca", 0] })],
  ]);
  expect(drawn(treeRows(pages, new Set(["a", "c"]), inside))).toEqual(["a", " c", "  e", " d+", " …", "b"]);
});

it("shows hits below their ancestors, each once, hits or not", () => {
  const pages = [found("xb", { x: ["ba", 0], b: ["a", 0] }, "a"), found("yz", { y: ["ba", 0], z: ["", 0] }, "ab")];
  expect(drawn(hitRows(pages))).toEqual(["a?", " b", "  x", "  y", "z"]);
});

it("shows the runs of groups that are open", () => {
  const groups = [{ values: [{ value: "adam" }] }, { values: [{}] }].map((it) => create(RunGroupSchema, it));
  const rows = groupRows(groups, [], new Set(["[null]"]), new Map([["[null]", found("a", {})]]));
  expect(drawn(rows)).toEqual(['["adam"]', "[null]", " a"]);
});
