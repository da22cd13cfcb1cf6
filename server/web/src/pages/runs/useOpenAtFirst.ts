import { useQuery } from "@tanstack/react-query";
import { useEffect } from "react";

import { listedQuery } from "../../queries/runs";
import { DRAWN_AT_FIRST } from "../../table/drawn";
import { openAtFirst } from "../../table/rows";
import type { RunsView } from "../../url/runsView";
import type { Asked } from "./asked";
import type { Rows } from "./useRows";

const LOOKED_AT_METRICS_MAX = 50;

/**
 * Opens the first rows where the runs that are started in others alone have metrics, as those of a sweep: the charts
 * would draw nothing. What somebody opened, closed or kept as a view stays as it is.
 */
export function useOpenAtFirst(
  asked: Asked,
  view: RunsView,
  { closed }: Rows,
  known: string[],
  change: (part: Partial<RunsView>) => void,
): void {
  const metrics = known.slice(0, LOOKED_AT_METRICS_MAX);
  const search = { ...asked.search, params: [], tags: [], metrics, summaries: false };
  const isUntouched = view.open === undefined && view.saved === undefined;
  const mayHelp = isUntouched && asked.shape === "roots" && closed.length > 0 && metrics.length > 0;
  const { data } = useQuery({
    ...listedQuery(search, DRAWN_AT_FIRST),
    enabled: mayHelp,
    refetchInterval: false,
    placeholderData: undefined,
  });
  const isNothingDrawn = mayHelp && data !== undefined && data.runs.every((run) => run.metrics.length === 0);
  useEffect(() => {
    if (isNothingDrawn) change({ open: openAtFirst(closed, DRAWN_AT_FIRST) });
  }, [isNothingDrawn, closed, change]);
}
