import { create } from "@bufbuild/protobuf";
import { expect, it } from "vitest";

import { RunSchema, type Run } from "../gen/stepwell_api/v1/runs_pb";
import type { RunsFound } from "../queries/runs";
import { patched } from "./patching";

const run = (runId: string, start: number, name = ""): Run =>
  create(RunSchema, { info: { runId, startTimeMs: BigInt(start), name } });
const found = (runs: Run[], nextPageToken = ""): RunsFound => ({ runs, kin: new Map(), ancestors: [], nextPageToken });
const pages = (...given: RunsFound[]) => ({ pages: given, pageParams: given.map(() => "") });
const names = ({ pages: { pages } }: ReturnType<typeof patched>) =>
  pages.map((page) => page.runs.map(({ info }) => `${info?.runId}${info?.name}`).join(" "));

it("puts in what changed, takes out what is no hit any more, and leaves the rest", () => {
  const before = pages(found([run("a", 9), run("b", 8)], "next"), found([run("c", 7)]));
  const after = patched(before, found([run("c", 7, "!")]), ["b", "c"], "start_time DESC");
  expect(names(after)).toEqual(["a", "c!"]);
  expect(after.pages.pages[0]?.runs[0]).toBe(before.pages[0]?.runs[0]);
});

it("puts new runs where they began, unless they are older than what is loaded of the first page", () => {
  const before = pages(found([run("a", 9), run("b", 5)], "next"));
  const after = patched(before, found([run("x", 10), run("y", 7), run("z", 1)]), ["x", "y", "z"], "start_time DESC");
  expect(names(after)).toEqual(["x a y b"]);
});

it("says which are new where it cannot tell their place", () => {
  const after = patched(pages(found([run("a", 9)])), found([run("x", 10)]), ["x"], "run_name ASC");
  expect([names(after), after.elsewhere, after.isMoved]).toEqual([["a"], ["x"], false]);
  const renamed = patched(pages(found([run("a", 9, "z")])), found([run("a", 9, "b")]), [], "run_name ASC");
  expect(renamed.isMoved).toBe(true);
});
