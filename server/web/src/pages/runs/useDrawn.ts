import { useMemo } from "react";

import type { ChartRuns } from "../../charts/ChartBody";
import type { Run } from "../../gen/stepwell_api/v1/runs_pb";
import { RUNS_PER_CHART_MAX } from "../../queries/samples";
import { runIdOf } from "../../table/rows";
import type { RunsView } from "../../url/runsView";
import type { Asked } from "./asked";
import { useGroupLines } from "./useGroupLines";
import type { Rows } from "./useRows";

/** Few runs at first, so that a page of thousands is not one ball of wool; the marks in the table show more. */
const FIRST_MAX = 20;

/** What the charts draw. */
export interface Drawn {
  runs: Run[];
  groups?: ChartRuns["groups"];
  /** The ids of the runs or groups that have lines. */
  ids: ReadonlySet<string>;
  /** Of runs and groups. */
  colors: ReadonlyMap<string, string>;
}

/** The first runs that are not hidden, and those that somebody wants to see; of groups, their lines. */
export function useDrawn(found: Rows, asked: Asked, view: RunsView, colors: Map<string, string>): Drawn {
  const lines = useGroupLines(found.rows, asked, view);
  return useMemo(() => {
    if (lines) return { ...lines, colors: new Map([...colors, ...lines.colors]) };
    const runs = drawnRuns(found.runs, view);
    return { runs, ids: new Set(runs.map(runIdOf)), colors };
  }, [lines, found.runs, view.hidden, view.shown, colors]);
}

function drawnRuns(runs: Run[], { hidden, shown }: RunsView): Run[] {
  const [not, also] = [new Set(hidden), new Set(shown)];
  const rest = runs.filter((run) => !not.has(runIdOf(run)));
  return rest.filter((run, place) => place < FIRST_MAX || also.has(runIdOf(run))).slice(0, RUNS_PER_CHART_MAX);
}

/** The view with a run or a group shown in the charts, or hidden there. */
export function toggled(view: RunsView, id: string, isShown: boolean): RunsView {
  const without = (ids: string[] | undefined) => ids?.filter((one) => one !== id) ?? [];
  const listed = (ids: string[]) => (ids.length ? ids : undefined);
  const [hidden, shown] = [without(view.hidden), without(view.shown)];
  (isShown ? shown : hidden).push(id);
  return { ...view, hidden: listed(hidden), shown: listed(shown.slice(-RUNS_PER_CHART_MAX)) };
}
