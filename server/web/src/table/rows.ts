import type { Run } from "../gen/stepwell_api/v1/runs_pb";
import type { RunGroup, Spread } from "../gen/stepwell_api/v1/search_pb";
import type { RunsFound } from "../queries/runs";

export interface RunRow {
  kind: "run";
  key: string;
  run: Run;
  depth: number;
  /** False for an ancestor that is only there to show where a hit lies. */
  isHit: boolean;
  /** How many runs were started in it, as far as that is asked. */
  children: number;
  /** Whether its children are shown; null where they cannot be asked for. */
  isOpen: boolean | null;
  isPinned: boolean;
}

export interface GroupRow {
  kind: "group";
  key: string;
  group: RunGroup;
  /** Of metrics, by the ids of their columns. */
  spreads: ReadonlyMap<string, Spread>;
  isOpen: boolean;
}

/** More runs lie in the run or the group than are shown. */
export interface MoreRow {
  kind: "more";
  key: string;
  of: string;
  depth: number;
}

export type TableRow = RunRow | GroupRow | MoreRow;

/** What lies in runs and groups that are open, as far as it is known. */
export type Inside = ReadonlyMap<string, RunsFound>;

export const runIdOf = (run: Run): string => run.info?.runId ?? "";

export function flatRows(runs: Run[], depth = 0, prefix = ""): RunRow[] {
  return runs.map((run) => row(run, depth, prefix));
}

/** Roots with what was started in them, where that is open; a run that was started in itself ends there. */
export function treeRows(pages: RunsFound[], open: ReadonlySet<string>, inside: Inside): TableRow[] {
  const below = (found: RunsFound, above: string[]): TableRow[] =>
    found.runs.flatMap((run) => {
      const id = runIdOf(run);
      if (above.includes(id)) return [];
      const children = found.kin.get(id)?.children ?? 0;
      const isOpen = children > 0 ? open.has(id) : null;
      const path = [...above, id];
      const first: TableRow = { ...row(run, above.length, `${above.join("/")}/`), children, isOpen };
      const within = isOpen ? inside.get(id) : undefined;
      if (!within) return [first];
      const rest: TableRow[] = within.nextPageToken ? [more(id, path.length)] : [];
      return [first, ...below(within, path), ...rest];
    });
  return pages.flatMap((page) => below(page, []));
}

/** The first rows that together have so many runs inside, or all of them. */
export function openAtFirst(closed: RunRow[], runs: number): string[] {
  let inside = 0;
  return closed.filter(({ children }) => (inside += children) - children < runs).map(({ run }) => runIdOf(run));
}

/** Hits below the runs that they were started in, in the order in which the first hit of each was found. */
export function hitRows(pages: RunsFound[]): RunRow[] {
  const found = new Map<string, Run>();
  const hits = new Set<string>();
  for (const page of pages) {
    for (const run of page.ancestors) found.set(runIdOf(run), run);
    for (const run of page.runs) (found.set(runIdOf(run), run), hits.add(runIdOf(run)));
  }
  const roots: string[] = [];
  const childrenOf = new Map<string, string[]>();
  const placed = new Set<string>();
  for (const page of pages) {
    for (const run of page.runs) {
      const line = [...(page.kin.get(runIdOf(run))?.ancestors ?? [])].reverse().filter((id) => found.has(id));
      let parent: string | undefined;
      for (const id of [...line, runIdOf(run)]) {
        if (!placed.has(id)) {
          placed.add(id);
          if (parent === undefined) roots.push(id);
          else childrenOf.set(parent, [...(childrenOf.get(parent) ?? []), id]);
        }
        parent = id;
      }
    }
  }
  const below = (id: string, depth: number): RunRow[] => [
    { ...row(found.get(id) as Run, depth, ""), isHit: hits.has(id) },
    ...(childrenOf.get(id) ?? []).flatMap((child) => below(child, depth + 1)),
  ];
  return roots.flatMap((id) => below(id, 0));
}

/** Groups with the runs that lie in them, where that is open. */
export function groupRows(
  groups: RunGroup[],
  metrics: string[],
  open: ReadonlySet<string>,
  inside: Inside,
): TableRow[] {
  return groups.flatMap((group) => {
    const key = groupKey(group);
    const isOpen = open.has(key);
    const spreads = new Map(group.metrics.map((spread, number) => [metrics[number] ?? "", spread]));
    const first: TableRow = { kind: "group", key, group, spreads, isOpen };
    const within = isOpen ? inside.get(key) : undefined;
    if (!within) return [first];
    const rest: TableRow[] = within.nextPageToken ? [more(key, 1)] : [];
    return [first, ...flatRows(within.runs, 1, `${key}/`), ...rest];
  });
}

/** The values of a group, null where its runs have none. */
export function groupValues(group: RunGroup): (string | null)[] {
  return group.values.map(({ value }) => value ?? null);
}

export function groupKey(group: RunGroup): string {
  return JSON.stringify(groupValues(group));
}

// The same run stays the same row, so that rows in view are not drawn anew when a page comes below them.
const known = new WeakMap<Run, RunRow>();

function row(run: Run, depth: number, prefix: string): RunRow {
  const key = prefix + runIdOf(run);
  const before = known.get(run);
  if (before?.key === key && before.depth === depth) return before;
  const now: RunRow = { kind: "run", key, run, depth, isHit: true, children: 0, isOpen: null, isPinned: false };
  known.set(run, now);
  return now;
}

function more(of: string, depth: number): MoreRow {
  return { kind: "more", key: `more of ${of}`, of, depth };
}
