import { useMemo, useState } from "react";

import { ChartGrid } from "../../charts/ChartGrid";
import { colorNumber, colorOf } from "../../charts/colors";
import { matching } from "../../charts/sections";
import type { Run } from "../../gen/stepwell_api/v1/runs_pb";
import { Empty } from "../../parts/Notice";
import { useTheme } from "../../theme/theme";
import { chartLook, type RunsView } from "../../url/runsView";
import { ChartControls } from "../runs/ChartControls";
import styles from "./RunPage.module.css";

/** Charts of a run's metrics. */
export function RunCharts({ run, metrics, live }: { run: Run; metrics: string[]; live: boolean }) {
  const [view, setView] = useState<RunsView>({});
  const dark = useTheme() === "dark";
  const look = useMemo(() => chartLook(view), [view]);
  const id = run.info?.runId ?? "";
  const name = run.info?.name ?? "";
  const runs = useMemo(
    () => ({ ids: [id], looks: new Map([[id, { name, color: colorOf(colorNumber(id), dark) }]]), live }),
    [id, name, dark, live],
  );
  const found = matching(metrics, view.metrics ?? "");
  return (
    <div className={styles.charts}>
      <ChartControls view={view} change={(part) => setView({ ...view, ...part })} patternIsBad={found === null} />
      {metrics.length === 0 ? (
        <Empty title="No metrics yet" />
      ) : found?.length === 0 ? (
        <Empty title="No metric is called so" />
      ) : (
        <ChartGrid metrics={found ?? metrics} runs={runs} look={look} syncKey={`run-${id}`} />
      )}
    </div>
  );
}
