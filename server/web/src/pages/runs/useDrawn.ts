import { useMemo } from "react";

import type { ChartRuns } from "../../charts/ChartBody";
import type { Run } from "../../gen/stepwell_api/v1/runs_pb";
import { drawnRuns } from "../../table/drawn";
import { runIdOf } from "../../table/rows";
import type { RunsView } from "../../url/runsView";
import type { Asked } from "./asked";
import { useRunColors } from "./runs";
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
export function useDrawn(found: Rows, asked: Asked, view: RunsView): Drawn {
  const lines = useGroupLines(found.rows, asked, view);
  const runs = useMemo(() => drawnRuns(found.runs, view), [found.runs, view.hidden, view.shown]);
  const colors = useRunColors(found.runs, runs);
  return useMemo(
    () =>
      lines
        ? { ...lines, colors: new Map([...colors, ...lines.colors]) }
        : { runs, ids: new Set(runs.map(runIdOf)), colors },
    [lines, runs, colors],
  );
}
