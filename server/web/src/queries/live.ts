import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useId, useRef, useState } from "react";

import { searchService } from "../api/clients";
import { RunStatus } from "../gen/stepwell_api/v1/runs_pb";
import { patched, type Pages } from "../table/patching";
import { runIdOf } from "../table/rows";
import { foundAmong, runsQuery, type RunSearch } from "./runs";

const LIVE_MS = 2_000;
const LOOK_MAX_MS = 30_000;
// Runs at work are read again as long as they are not more than these; the first ones in the table go first.
const RUNNING_MAX = 200;
// And so many that changed; the others come with the next look.
const READ_AT_ONCE = 500;
const REMEMBERED_MAX = 5_000;
// So few pages are asked for again as a whole when a run may belong anywhere in them.
const PAGES_ASKED_AGAIN = 2;

/** Keeps the pages of a search up to date without asking for them again: of what changed, and of what is at work. */
export function useLiveRuns(search: RunSearch, enabled: boolean): { fresh: number; show: () => void } {
  const client = useQueryClient();
  const [fresh, setFresh] = useState<ReadonlySet<string>>(new Set());
  const changes = useChanges(search.experimentIds, enabled);
  // Runs that changed and have not been read since.
  const unread = useRef(new Set<string>());
  const isReading = useRef(false);
  useEffect(() => setFresh(new Set()), [search]);
  useEffect(() => {
    if (!changes) return;
    const { queryKey } = runsQuery(search);
    const pages = client.getQueryData<Pages>(queryKey);
    changes.runIds.forEach((id) => unread.current.add(id));
    if (!changes.complete || unread.current.size > REMEMBERED_MAX) {
      unread.current.clear();
      void client.invalidateQueries({ queryKey: ["runs"] });
      return;
    }
    if (changes.runIds.length > 0) {
      for (const key of [["runs", "listed"], ["runs", "named"], ["groups"], ["count"]])
        void client.invalidateQueries({ queryKey: key });
    }
    // An answer that is on its way may have been given before: read them when it is there. And one reading at a time:
    // an older answer must not take the place of a newer one.
    if (!pages || isReading.current) return;
    const changed = [...unread.current].slice(0, READ_AT_ONCE);
    const ids = [...new Set([...changed, ...running(pages)])];
    if (ids.length === 0) return;
    isReading.current = true;
    changed.forEach((id) => unread.current.delete(id));
    foundAmong(search, ids, AbortSignal.timeout(LOOK_MAX_MS))
      .then(
        (found) => {
          const [sortedBy = ""] = search.orderBy;
          const next = patched(client.getQueryData<Pages>(queryKey) ?? pages, found, changed, sortedBy);
          client.setQueryData(queryKey, next.pages);
          // In a tree, others' numbers of children may have changed too.
          const isUnsure = next.elsewhere.length > 0 || next.isMoved || (search.as !== "flat" && changed.length > 0);
          if (!isUnsure) return;
          if (pages.pages.length <= PAGES_ASKED_AGAIN) void client.invalidateQueries({ queryKey });
          else setFresh((now) => new Set([...now, ...next.elsewhere]));
        },
        () => changed.forEach((id) => unread.current.add(id)), // the next look reads them
      )
      .finally(() => (isReading.current = false));
  }, [changes, client, search]);
  const show = useCallback(() => {
    setFresh(new Set());
    void client.resetQueries({ queryKey: runsQuery(search).queryKey });
  }, [client, search]);
  return { fresh: fresh.size, show };
}

interface Changed {
  runIds: string[];
  complete: boolean;
}

/** The runs of some experiments that changed since the look before, a look at a time. */
export function useChanges(experimentIds: bigint[], enabled: boolean): Changed | undefined {
  // Each that asks knows for itself since when.
  const asker = useId();
  const since = useRef(0n);
  const seen = useRef(new Map<string, bigint>());
  const { data } = useQuery({
    queryKey: ["changes", asker, experimentIds.map(String)],
    queryFn: async ({ signal }): Promise<Changed> => {
      const answer = await searchService.listChangedRuns({ experimentIds, sinceMs: since.current }, { signal });
      since.current = answer.nowMs;
      // The server also looks back a little.
      const fresh = answer.changes.filter((it) => seen.current.get(it.runId) !== it.changedTimeMs);
      if (seen.current.size > REMEMBERED_MAX) seen.current.clear();
      for (const it of fresh) seen.current.set(it.runId, it.changedTimeMs);
      return { runIds: fresh.map((it) => it.runId), complete: answer.complete };
    },
    enabled,
    refetchInterval: LIVE_MS,
    structuralSharing: false,
    gcTime: 0,
  });
  return data;
}

function running(pages: Pages): string[] {
  return pages.pages
    .flatMap((page) => page.runs)
    .filter((run) => run.info?.status === RunStatus.RUNNING)
    .slice(0, RUNNING_MAX)
    .map(runIdOf);
}
