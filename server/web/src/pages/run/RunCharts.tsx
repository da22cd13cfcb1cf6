import { useMemo } from "react";

import { Charts } from "../../charts/Charts";
import { colorNumber, colorOf } from "../../charts/colors";
import type { Run } from "../../gen/stepwell_api/v1/runs_pb";
import { Empty } from "../../parts/Notice";
import { useTheme } from "../../theme/theme";
import type { ChartsView } from "../../url/chartsView";
import styles from "./RunPage.module.css";

interface Props {
  run: Run;
  metrics: string[];
  live: boolean;
  view: ChartsView;
  change: (part: Partial<ChartsView>) => void;
}

/** Charts of a run's metrics. */
export function RunCharts({ run, metrics, live, view, change }: Props) {
  const dark = useTheme() === "dark";
  const id = run.info?.runId ?? "";
  const name = run.info?.name ?? "";
  const startMs = Number(run.info?.startTimeMs ?? 0n);
  const runs = useMemo(
    () => ({ ids: [id], looks: new Map([[id, { name, color: colorOf(colorNumber(id), dark), startMs }]]), live }),
    [id, name, startMs, dark, live],
  );
  return (
    <div className={styles.charts}>
      {metrics.length === 0 ? (
        <Empty title="No metrics yet" />
      ) : (
        <Charts metrics={metrics} runs={runs} view={view} change={change} syncKey={`run-${id}`} />
      )}
    </div>
  );
}
