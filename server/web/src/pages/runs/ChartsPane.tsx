import { useMemo } from "react";

import { Charts } from "../../charts/Charts";
import { RunStatus, type Run } from "../../gen/stepwell_api/v1/runs_pb";
import { usePlotSource } from "./usePlotSource";
import type { RunsView } from "../../url/runsView";
import styles from "./RunsPage.module.css";

/** Few runs at first, so that a page of thousands is not one ball of wool; the marks in the table show more. */
export const RUNS_SHOWN_MAX = 20;

interface Props {
  runs: Run[];
  colors: Map<string, string>;
  hidden: ReadonlySet<string>;
  metrics: string[];
  view: RunsView;
  change: (part: Partial<RunsView>) => void;
  /** These runs are all there are to show, and not the first of a search. */
  fixed?: boolean;
}

/** Charts of all metrics, of the first runs in the table that are not hidden. */
export function ChartsPane({ runs, colors, hidden, metrics, view, change, fixed }: Props) {
  const plots = usePlotSource({ runs, colors, hidden, view, fixed });
  const shown = useMemo(() => {
    const visible = runs
      .flatMap(({ info }) => (info && !hidden.has(info.runId) ? [info] : []))
      .slice(0, RUNS_SHOWN_MAX);
    const looks = visible.map(({ runId, name, startTimeMs }) => {
      return [runId, { name, color: colors.get(runId) ?? "", startMs: Number(startTimeMs) }] as const;
    });
    return {
      ids: visible.map(({ runId }) => runId),
      looks: new Map(looks),
      live: visible.some(({ status }) => status === RunStatus.RUNNING),
      plots,
    };
  }, [runs, hidden, colors, plots]);
  return (
    <div className={styles.charts}>
      <Charts metrics={metrics} runs={shown} view={view} change={change} syncKey="runs" />
    </div>
  );
}
