import { useMemo } from "react";

import { ChartGrid } from "../../charts/ChartGrid";
import { matching } from "../../charts/sections";
import { RunStatus, type Run } from "../../gen/stepwell_api/v1/runs_pb";
import { Empty } from "../../parts/Notice";
import { chartLook, type RunsView } from "../../url/runsView";
import { ChartControls } from "./ChartControls";
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
}

/** Charts of all metrics, of the first runs in the table that are not hidden. */
export function ChartsPane({ runs, colors, hidden, metrics, view, change }: Props) {
  const look = useMemo(() => chartLook(view), [view]);
  const shown = useMemo(() => {
    const visible = runs.filter(({ info }) => info && !hidden.has(info.runId)).slice(0, RUNS_SHOWN_MAX);
    const looks = visible.map(
      ({ info }) =>
        [info?.runId ?? "", { name: info?.name ?? "", color: colors.get(info?.runId ?? "") ?? "" }] as const,
    );
    return {
      ids: visible.map(({ info }) => info?.runId ?? ""),
      looks: new Map(looks),
      live: visible.some(({ info }) => info?.status === RunStatus.RUNNING),
    };
  }, [runs, hidden, colors]);
  const found = matching(metrics, view.metrics ?? "");
  return (
    <div className={styles.charts}>
      <ChartControls view={view} change={change} patternIsBad={found === null} />
      {metrics.length === 0 ? (
        <Empty title="These runs have logged no metrics" />
      ) : shown.ids.length === 0 ? (
        <Empty title="All runs are hidden">Click the marks in the table to show them.</Empty>
      ) : found?.length === 0 ? (
        <Empty title="No metric is called so" />
      ) : (
        <ChartGrid metrics={found ?? metrics} runs={shown} look={look} syncKey="runs" />
      )}
    </div>
  );
}
