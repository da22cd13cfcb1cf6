import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useState } from "react";

import type { Columns } from "../charts/series";
import { metricOf } from "../charts/ticks";
import { isTold, samplesQuery, type SampleQuestion } from "../queries/samples";
import { inNextFrame, notInNextFrame } from "./frames";
import { LiveLines } from "./LiveLines";
import { follow } from "./watch";

/** What only a new answer can show is asked for at most so often. */
const ASK_AGAIN_MS = 5_000;
/** And what was perhaps left out, so often. */
const MAKE_SURE_MS = 60_000;
const LOOK_MS = 1_000;

interface Lines {
  columns: Columns | undefined;
  error: Error | null;
  retry: () => void;
}

/** What a chart shows: the server's answer, and what is committed to its runs while it is shown, as it comes. */
export function useLiveLines(asked: SampleQuestion, starts: Map<string, number>, enabled: boolean): Lines {
  const answer = useQuery({ ...samplesQuery(asked), enabled });
  const lines = useLines(asked, starts);
  // While the server is asked, news are kept for its answer, too.
  const { data, isFetching, isPlaceholderData, refetch } = answer;
  useMemo(() => isFetching && lines.ask(), [isFetching, lines]);
  const taken = useRef<[LiveLines, Columns] | null>(null);
  const isNew = taken.current?.[0] !== lines || taken.current[1] !== data;
  if (data && isNew && !isFetching && !isPlaceholderData) {
    taken.current = [lines, data];
    lines.answer(data);
  }
  useNews(lines, asked, asked.live && enabled && isTold(asked), refetch);
  // Until a new question has an answer, what was shown stays.
  const shown = useRef<Columns | undefined>(undefined);
  shown.current = lines.columns ?? shown.current ?? data;
  return { columns: shown.current, error: answer.error, retry: () => void refetch() };
}

function useLines({ runIds, metrics, axis, bounds, buckets }: SampleQuestion, starts: Map<string, number>): LiveLines {
  const known = useRef(starts);
  known.current = starts;
  return useMemo(
    () => new LiveLines({ axis, bounds, buckets, keys: metrics, startOf: (runId) => known.current.get(runId) }),
    [runIds.join(), JSON.stringify(metrics), axis, String(bounds?.from), String(bounds?.to), buckets],
  );
}

function useNews(
  lines: LiveLines,
  { runIds, metrics, axis }: SampleQuestion,
  isFollowed: boolean,
  refetch: () => unknown,
) {
  const [, setDrawn] = useState<Columns | undefined>(undefined);
  const ask = useRef(refetch);
  ask.current = refetch;
  useEffect(() => {
    if (!isFollowed) return;
    const draw = () => setDrawn(lines.columns);
    let askedAt = performance.now();
    const looking = setInterval(() => {
      const passed = performance.now() - askedAt;
      if (!(lines.isStale && passed >= ASK_AGAIN_MS) && !(lines.isUnsure && passed >= MAKE_SURE_MS)) return;
      askedAt = performance.now();
      ask.current();
    }, LOOK_MS);
    const unfollow = follow({
      runIds,
      keys: followed(metrics, metricOf(axis)),
      onNews: (news) => lines.take(news) && inNextFrame(draw),
      onCovered: () => void ask.current(),
    });
    return () => {
      clearInterval(looking);
      unfollow();
      notInNextFrame(draw);
    };
  }, [isFollowed, lines]);
  // Perhaps the end of a run was known before its last points.
  const was = useRef(isFollowed);
  useEffect(() => {
    if (was.current && !isFollowed) ask.current();
    was.current = isFollowed;
  }, [isFollowed]);
}

/** Over another metric, that one is followed as well. */
function followed(metrics: string[], xKey: string | null): string[] {
  return xKey === null || metrics.includes(xKey) ? metrics : [...metrics, xKey];
}
