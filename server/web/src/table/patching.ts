import type { InfiniteData } from "@tanstack/react-query";

import type { Run } from "../gen/stepwell_api/v1/runs_pb";
import type { RunsFound } from "../queries/runs";
import { cell, column } from "./columns";
import { runIdOf } from "./rows";

export type Pages = InfiniteData<RunsFound, string>;

interface Patched {
  pages: Pages;
  /** New runs whose place is not known. */
  elsewhere: string[];
  /** A run has another value in the column that the table is sorted by. */
  isMoved: boolean;
}

/** Pages with runs as they are now; those that are no hits any more go, new ones come where the order tells. */
export function patched(before: Pages, found: RunsFound, changed: string[], sortedBy: string): Patched {
  const now = new Map(found.runs.map((run) => [runIdOf(run), run]));
  const known = new Set(before.pages.flatMap((page) => page.runs.map(runIdOf)));
  const gone = new Set(changed.filter((id) => !now.has(id)));
  const isMoved = before.pages.some((page) => page.runs.some((run) => moves(run, now.get(runIdOf(run)), sortedBy)));
  const pages = before.pages.map((page) => ({
    ...page,
    runs: page.runs.filter((run) => !gone.has(runIdOf(run))).map((run) => now.get(runIdOf(run)) ?? run),
    kin: new Map([...page.kin].map(([id, kin]) => [id, found.kin.get(id) ?? kin])),
  }));
  const others = found.runs.filter((run) => !known.has(runIdOf(run)));
  const [first, ...rest] = pages;
  if (others.length === 0 || !first) return { pages: { ...before, pages }, isMoved, elsewhere: [] };
  if (sortedBy !== "start_time DESC") return { pages: { ...before, pages }, isMoved, elsewhere: others.map(runIdOf) };
  const started = (run: RunsFound["runs"][number]) => run.info?.startTimeMs ?? 0n;
  const oldest = first.nextPageToken ? first.runs.at(-1) : undefined;
  const added = others.filter((run) => !oldest || started(run) >= started(oldest));
  const runs = [...first.runs, ...added].sort((a, b) => Number(started(b) - started(a)));
  const kin = new Map([...first.kin, ...found.kin]);
  const ancestors = [...first.ancestors, ...found.ancestors];
  return { pages: { ...before, pages: [{ ...first, runs, kin, ancestors }, ...rest] }, isMoved, elsewhere: [] };
}

function moves(before: Run, now: Run | undefined, sortedBy: string): boolean {
  const by = column(sortedBy.replace(/ (ASC|DESC)$/, ""));
  return now !== undefined && by !== null && !Object.is(cell(before, by), cell(now, by));
}
