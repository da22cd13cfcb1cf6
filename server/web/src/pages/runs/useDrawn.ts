import { useMemo } from "react";

import type { ChartRuns } from "../../charts/ChartBody";
import type { Run } from "../../gen/stepwell_api/v1/runs_pb";
import { drawnRuns } from "../../table/drawn";
import { runIdOf } from "../../table/rows";
import type { RunsView } from "../../url/runsView";
import type { Asked } from "./asked";
import { useGroupLines } from "./useGroupLines";
import type { Rows } from "./useRows";

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
