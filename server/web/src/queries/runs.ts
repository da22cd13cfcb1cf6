import type { MessageInitShape } from "@bufbuild/protobuf";
import { infiniteQueryOptions, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import { runService, searchService } from "../api/clients";
import { RunStatus, ViewType, type Run } from "../gen/stepwell_api/v1/runs_pb";
import type { ChangeRunsRequestSchema } from "../gen/stepwell_api/v1/search_pb";

const PAGE_SIZE = 100;
const LISTED_PAGE_SIZE = 500;
const FRESH_MS = 5_000;
const PAGES_FRESH_MS = 30_000;
// As many may be named in one filter.
const IDS_AT_ONCE = 500;

/** What of a run is fetched. */
export interface Projection {
  params: string[];
  metrics: string[];
  tags: string[];
  /** Metrics come with the extremes and the mean of all their points. */
  summaries: boolean;
}

export interface RunSearch extends Projection {
  experimentIds: bigint[];
  filter: string;
  deleted: boolean;
  orderBy: string[];
  /** Alone; as roots of a tree; as what was started in a run, wherever; or with the runs that each was started in. */
  as: "flat" | "roots" | "children" | "hits";
}

export interface Kin {
  /** The nearest first. */
  ancestors: string[];
  children: number;
}

/** A page of runs; in a tree with their kin, and the ancestors that are no hits. */
export interface RunsFound {
  runs: Run[];
  kin: Map<string, Kin>;
  ancestors: Run[];
  nextPageToken: string;
}

/** Pages of runs with the chosen params, metrics and tags alone, however many there are. */
export function runsQuery(search: RunSearch) {
  return infiniteQueryOptions({
    queryKey: ["runs", ...keyOf(search)],
    queryFn: ({ pageParam, signal }) => page(search, PAGE_SIZE, pageParam, signal),
    initialPageParam: "",
    getNextPageParam: (found) => found.nextPageToken || undefined,
    // What changes comes by `useLiveRuns`: to ask for all pages again would ask for what has not changed.
    refetchOnWindowFocus: false,
    staleTime: PAGES_FRESH_MS,
    // What is deleted can be restored and no more: until these are known, the others must not stand for them.
    placeholderData: (before, query) => (query?.queryKey[3] === search.deleted ? before : undefined),
  });
}

/** The first runs of a search, at most `count`: what lies in a group, or was started in a run. */
export function listedQuery(search: RunSearch, count: number) {
  return queryOptions({
    queryKey: ["runs", "listed", ...keyOf(search), count],
    queryFn: async ({ signal }): Promise<RunsFound> => {
      const found: RunsFound = { runs: [], kin: new Map(), ancestors: [], nextPageToken: "" };
      do {
        const size = Math.min(LISTED_PAGE_SIZE, count - found.runs.length);
        const next = await page(search, size, found.nextPageToken, signal);
        found.runs.push(...next.runs);
        next.kin.forEach((kin, id) => found.kin.set(id, kin));
        found.nextPageToken = next.nextPageToken;
      } while (found.nextPageToken && found.runs.length < count);
      return found;
    },
    refetchInterval: FRESH_MS,
    placeholderData: (before) => before,
  });
}

/** Runs by their ids, wherever they are. */
export function namedRunsQuery(runIds: string[], projection: Projection) {
  return queryOptions({
    queryKey: ["runs", "named", runIds, ...projectionKey(projection)],
    queryFn: ({ signal }) => named(runIds, projection, signal),
    enabled: runIds.length > 0,
    refetchInterval: FRESH_MS,
    placeholderData: (before) => before,
  });
}

/** Those of some runs that a search finds, with what it wants of them. */
export function foundAmong(search: RunSearch, runIds: string[], signal: AbortSignal): Promise<RunsFound> {
  const among = idFilter(runIds);
  const filter = search.filter ? `(${search.filter}) AND ${among}` : among;
  return page({ ...search, filter }, runIds.length, "", signal);
}

/** Runs by their ids with all that they logged, in the order of the ids; those that do not exist are left out. */
export function wholeRunsQuery(runIds: string[]) {
  return queryOptions({
    queryKey: ["runs", "whole", runIds],
    queryFn: async ({ signal }) => {
      const found = new Map((await named(runIds, null, signal)).map((run) => [run.info?.runId ?? "", run]));
      return runIds.map((id) => found.get(id)).filter((run) => run !== undefined);
    },
    enabled: runIds.length > 0,
    refetchInterval: (query) => (query.state.data?.some(isAtWork) ? FRESH_MS : false),
    placeholderData: (before) => before,
  });
}

const isAtWork = (run: Run): boolean => run.info?.status === RunStatus.RUNNING;

async function page(search: RunSearch, pageSize: number, pageToken: string, signal: AbortSignal): Promise<RunsFound> {
  const viewType = search.deleted ? ViewType.DELETED_ONLY : ViewType.ACTIVE_ONLY;
  const { experimentIds, filter, orderBy } = search;
  const rootsOnly = search.as === "roots";
  const allExperiments = search.as === "children";
  const found = await searchService.searchRuns(
    { experimentIds, allExperiments, filter, viewType, orderBy, pageSize, pageToken, rootsOnly, ...wanted(search) },
    { signal },
  );
  const { runs, nextPageToken } = found;
  if (search.as === "flat") return { runs, kin: new Map(), ancestors: [], nextPageToken };
  const kin = await kinOf(
    runs.map((run) => run.info?.runId ?? ""),
    viewType,
    signal,
  );
  const above = search.as === "hits" ? [...kin.values()].flatMap((one) => one.ancestors) : [];
  const others = [...new Set(above)].filter((id) => !kin.has(id));
  return { runs, kin, ancestors: await named(others, search, signal), nextPageToken };
}

async function kinOf(runIds: string[], viewType: ViewType, signal: AbortSignal): Promise<Map<string, Kin>> {
  if (runIds.length === 0) return new Map();
  const { kin } = await searchService.listKin({ runIds, viewType }, { signal });
  return new Map(kin.map((one) => [one.runId, { ancestors: one.ancestorIds, children: Number(one.children) }]));
}

async function named(runIds: string[], projection: Projection | null, signal: AbortSignal): Promise<Run[]> {
  const found: Run[] = [];
  for (let at = 0; at < runIds.length; at += IDS_AT_ONCE) {
    const filter = idFilter(runIds.slice(at, at + IDS_AT_ONCE));
    const asked = { allExperiments: true, filter, viewType: ViewType.ALL, pageSize: IDS_AT_ONCE };
    let pageToken = "";
    do {
      // An answer holds fewer than there are when these are large.
      const answer = await searchService.searchRuns({ ...asked, pageToken, ...wanted(projection) }, { signal });
      found.push(...answer.runs);
      pageToken = answer.nextPageToken;
    } while (pageToken);
  }
  return found;
}

/** The filter that finds runs by their ids. */
export function idFilter(runIds: string[]): string {
  return `run_id IN (${runIds.map((id) => `'${id}'`).join(", ")})`;
}

/** What of a run is asked for; all of it without a projection. */
function wanted(projection: Projection | null) {
  if (!projection) return {};
  const { params, metrics, tags, summaries } = projection;
  return { params: { key: params }, metrics: { key: metrics }, tags: { key: tags }, metricSummaries: summaries };
}

function keyOf(search: RunSearch) {
  const { experimentIds, filter, deleted, orderBy, as } = search;
  return [experimentIds.map(String), filter, deleted, orderBy, as, ...projectionKey(search)];
}

function projectionKey({ params, metrics, tags, summaries }: Projection) {
  return [params, metrics, tags, summaries];
}

/** Runs that are changed together: all that a filter finds in some experiments. */
export interface Chosen {
  experimentIds: bigint[];
  filter: string;
}

const STALE = ["runs", "run", "groups", "groupLines", "count", "keys"];

/** Change many runs at once, and one run's name or tags; the lists are stale then. */
export function useRunChanges() {
  const client = useQueryClient();
  const onSettled = () => Promise.all(STALE.map((key) => client.invalidateQueries({ queryKey: [key] })));
  const change = (chosen: Chosen, what: MessageInitShape<typeof ChangeRunsRequestSchema>["change"]) =>
    searchService.changeRuns({ ...chosen, change: what });
  return {
    remove: useMutation({
      mutationFn: (chosen: Chosen) => change(chosen, { case: "delete", value: {} }),
      onSettled,
    }),
    restore: useMutation({
      mutationFn: (chosen: Chosen) => change(chosen, { case: "restore", value: {} }),
      onSettled,
    }),
    tag: useMutation({
      mutationFn: ({ chosen, key, value }: { chosen: Chosen; key: string; value: string }) =>
        change(chosen, { case: "tag", value: { tags: [{ key, value }] } }),
      onSettled,
    }),
    untag: useMutation({
      mutationFn: ({ runId, key }: { runId: string; key: string }) => runService.deleteTag({ runId, key }),
      onSettled,
    }),
    rename: useMutation({
      mutationFn: ({ runId, name }: { runId: string; name: string }) => runService.updateRun({ runId, name }),
      onSettled,
    }),
  };
}
