import { useInfiniteQuery, useQueries, useQuery } from "@tanstack/react-query";
import { useCallback, useMemo, useState } from "react";

import { quoted } from "../../filter/suggestions";
import type { Run } from "../../gen/stepwell_api/v1/runs_pb";
import type { RunGroup } from "../../gen/stepwell_api/v1/search_pb";
import { groupsQuery } from "../../queries/groups";
import { listedQuery, namedRunsQuery, runsQuery, type RunSearch, type RunsFound } from "../../queries/runs";
import { PARENT_TAG } from "../../queries/run";
import type { Order } from "../../table/Header";
import { flatRows, groupRows, hitRows, runIdOf, treeRows, type RunRow, type TableRow } from "../../table/rows";
import type { RunsView } from "../../url/runsView";
import type { Asked } from "./asked";

const NO_GROUPS: RunGroup[] = [];
const LISTED_AT_FIRST = 200;
// As many runs may be in a chart.
const FIRST = 100;

export interface Rows {
  rows: TableRow[];
  /** The runs of the rows, each once, in their order; of groups, the first ones that the filter finds before these. */
  runs: Run[];
  /** The runs whose rows are closed. */
  closed: RunRow[];
  baseline: Run | undefined;
  isPending: boolean;
  /** The rows are those of the question before. */
  isAwaited: boolean;
  /** The keys of the pages are known, and the first was asked for. */
  isListed: boolean;
  error: unknown;
  refetch: () => void;
  hasMore: boolean;
  more: () => void;
  moreOf: (key: string) => void;
}

/** The rows of the table: what is asked for, page by page, and what lies in the runs and groups that are open. */
export function useRows(asked: Asked, view: RunsView, enabled: boolean): Rows {
  const { search, shape, by, columns, order } = asked;
  const isGrouped = shape === "groups";
  const canOpen = isGrouped || shape === "roots";
  const paged = useInfiniteQuery({ ...runsQuery(search), enabled: enabled && !isGrouped });
  const first = useQuery({ ...listedQuery({ ...search, as: "flat" }, FIRST), enabled: enabled && isGrouped });
  const metrics = useMemo(() => columns.filter((it) => it.kind === "metrics").map((it) => it.id), [columns]);
  const grouped = useQuery(groupsQuery(asked.scope, asked.filter, by, metrics));
  const named = useQuery(namedRunsQuery(useNamed(view), search));
  const [listed, setListed] = useState<ReadonlyMap<string, number>>(new Map());
  const open = useMemo(() => (canOpen ? (view.open ?? []) : []), [canOpen, view.open]);
  const inside = useQueries({
    queries: open.map((key) => listedQuery(searchInside(search, shape, by, key), listed.get(key) ?? LISTED_AT_FIRST)),
    combine: (answers) => new Map(open.flatMap((key, at) => (answers[at]?.data ? [[key, answers[at].data]] : []))),
  });
  const pages = paged.data?.pages;
  const groups = grouped.data?.groups ?? NO_GROUPS;
  const isOpen = useMemo(() => new Set(open), [open]);
  const rows = useMemo(() => {
    const pinned = pinnedRows(named.data ?? []);
    if (isGrouped) return [...pinned, ...groupRows(inOrder(groups, metrics, order), metrics, isOpen, inside)];
    return [...pinned, ...without(pinned, arranged(pages ?? [], shape, isOpen, inside))];
  }, [shape, pages, groups, named.data, isOpen, inside, metrics, order]);
  const runs = useMemo(() => {
    const shown = runsOf(rows);
    if (!isGrouped) return shown;
    const ids = new Set(first.data?.runs.map(runIdOf));
    return [...(first.data?.runs ?? []), ...shown.filter((run) => !ids.has(runIdOf(run)))];
  }, [isGrouped, first.data, rows]);
  const closed = useMemo(
    () => rows.filter((row) => row.kind === "run").filter(({ isOpen }) => isOpen === false),
    [rows],
  );
  const { fetchNextPage, isFetchingNextPage, refetch } = paged;
  const more = useCallback(() => {
    if (!isFetchingNextPage) void fetchNextPage();
  }, [fetchNextPage, isFetchingNextPage]);
  const moreOf = useCallback(
    (key: string) => setListed((now) => new Map(now).set(key, (now.get(key) ?? LISTED_AT_FIRST) * 5)),
    [],
  );
  const about = isGrouped ? grouped : paged;
  return {
    rows,
    runs,
    closed,
    baseline: named.data?.find((run) => runIdOf(run) === view.baseline),
    isPending: about.isPending,
    isAwaited: about.isPlaceholderData,
    isListed: enabled && !about.isPending,
    error: about.isError ? about.error : null,
    refetch: () => void refetch(),
    hasMore: !isGrouped && paged.hasNextPage,
    more,
    moreOf,
  };
}

/** The filter of a group, from its fields and what its runs have there. */
export function groupFilter(by: string[], key: string): string {
  const values = JSON.parse(key) as (string | null)[];
  return by.map((field, at) => conditionOf(field, values[at] ?? null)).join(" AND ");
}

function conditionOf(field: string, value: string | null): string {
  return value === null ? `${field} IS NULL` : `${field} = ${quoted(value)}`;
}

/** The search of what lies in a group, or was started in a run. */
export function searchInside(search: RunSearch, shape: Asked["shape"], by: string[], key: string): RunSearch {
  if (shape === "roots") return { ...search, as: "children", filter: `tags.\`${PARENT_TAG}\` = ${quoted(key)}` };
  const filter = isGroupKey(key, by) ? groupFilter(by, key) : "run_id = ''";
  return { ...search, as: "flat", filter: search.filter ? `(${search.filter}) AND ${filter}` : filter };
}

/** Anything may stand in an address. */
function isGroupKey(key: string, by: string[]): boolean {
  try {
    const values: unknown = JSON.parse(key);
    return Array.isArray(values) && values.length === by.length;
  } catch {
    return false;
  }
}

function useNamed(view: RunsView): string[] {
  return useMemo(
    () => [...new Set([...(view.baseline ? [view.baseline] : []), ...(view.pinned ?? [])])],
    [view.baseline, view.pinned],
  );
}

function pinnedRows(runs: Run[]): TableRow[] {
  return flatRows(runs, 0, "pinned/").map((row) => ({ ...row, isPinned: true }));
}

function without(pinned: TableRow[], rows: TableRow[]): TableRow[] {
  const ids = new Set(runsOf(pinned).map(runIdOf));
  if (ids.size === 0) return rows;
  return rows.filter((row) => row.kind !== "run" || row.children > 0 || !ids.has(runIdOf(row.run)));
}

function arranged(
  pages: RunsFound[],
  shape: Asked["shape"],
  open: ReadonlySet<string>,
  inside: ReadonlyMap<string, RunsFound>,
): TableRow[] {
  if (shape === "roots") return treeRows(pages, open, inside);
  return shape === "hits" ? hitRows(pages) : flatRows(pages.flatMap((page) => page.runs));
}

function runsOf(rows: TableRow[]): Run[] {
  const found = new Map<string, Run>();
  for (const row of rows) if (row.kind === "run" && row.isHit) found.set(runIdOf(row.run), row.run);
  return [...found.values()];
}

/** Groups by the mean of the metric that the table is sorted by; else those of most runs first, as they come. */
function inOrder(groups: RunGroup[], metrics: string[], { id, descending }: Order): RunGroup[] {
  const at = metrics.indexOf(id);
  if (at < 0) return groups;
  const rank = (group: RunGroup) => {
    const spread = group.metrics[at];
    return !spread || spread.count === 0n ? Infinity : descending ? -spread.mean : spread.mean;
  };
  return [...groups].sort((a, b) => rank(a) - rank(b) || 0);
}
