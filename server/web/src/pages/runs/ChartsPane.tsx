import { useMemo } from "react";

import { Charts } from "../../charts/Charts";
import { RunStatus, type Run } from "../../gen/stepwell_api/v1/runs_pb";
import type { RunRow } from "../../table/rows";
import type { RunsView } from "../../url/runsView";
import { ClosedRows } from "./ClosedRows";
import { Legend } from "./Legend";
import styles from "./RunsPage.module.css";
import type { Drawn } from "./useDrawn";
import { usePlotSource } from "./usePlotSource";

interface Props {
  /** What the filter finds, as far as it is known; or all there are to show. */
  runs: Run[];
  colors: ReadonlyMap<string, string>;
  drawn: Pick<Drawn, "runs" | "groups">;
  metrics: string[];
  view: RunsView;
  change: (part: Partial<RunsView>) => void;
  /** Runs whose rows are closed: what was started in them is not drawn. */
  closed?: RunRow[];
  /** These runs are all there are to show, and not the first of a search. */
  fixed?: boolean;
}

/** Charts of all metrics, of the runs or groups that are drawn. */
export function ChartsPane({ runs, colors, drawn, metrics, view, change, closed, fixed }: Props) {
  const hidden = useMemo(() => new Set(view.hidden), [view.hidden]);
  const plots = usePlotSource({ runs, colors, hidden, view, fixed });
  const shown = useMemo(() => {
    const infos = drawn.runs.flatMap(({ info }) => (info ? [info] : []));
    const looks = infos.map(({ runId, name, startTimeMs }) => {
      return [runId, { name, color: colors.get(runId) ?? "", startMs: Number(startTimeMs) }] as const;
    });
    return {
      ids: infos.map(({ runId }) => runId),
      looks: new Map(looks),
      live: (drawn.groups ? runs : drawn.runs).some(({ info }) => info?.status === RunStatus.RUNNING),
      plots,
      groups: drawn.groups,
    };
  }, [drawn, colors, plots, drawn.groups && runs]);
  return (
    <div className={styles.charts}>
      {(fixed || view.view === "charts") && (
        <Legend looks={drawn.groups?.looks ?? shown.looks} undrawn={fixed ? runs.length - drawn.runs.length : 0} />
      )}
      {closed && closed.length > 0 && <ClosedRows closed={closed} view={view} change={change} />}
      <Charts
        metrics={metrics}
        runs={shown}
        view={view}
        change={change}
        syncKey="runs"
        isGrouped={view.group !== undefined}
      />
    </div>
  );
}
