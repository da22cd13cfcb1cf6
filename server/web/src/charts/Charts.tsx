import { useMemo, useState } from "react";

import { Button } from "../parts/Button";
import { Empty } from "../parts/Notice";
import { METRICS_PER_CHART_MAX } from "../queries/samples";
import { chartLook, type ChartsView } from "../url/chartsView";
import type { ChartRuns } from "./ChartBody";
import { ChartControls } from "./ChartControls";
import { ChartGrid } from "./ChartGrid";
import styles from "./Charts.module.css";
import { OwnChartDialog } from "./OwnChartDialog";
import { matching } from "./sections";
import { ownSpecs, specsOf, type ChartSpec, type OwnChart } from "./specs";

interface Props {
  metrics: string[];
  runs: ChartRuns;
  view: ChartsView;
  change: (part: Partial<ChartsView>) => void;
  syncKey: string;
  /** How metrics become charts; the usual way where it is left out. */
  specs?: (metrics: string[]) => ChartSpec[];
  /** The runs are in groups. */
  isGrouped?: boolean;
}

const NOTHING: never[] = [];

/** Charts of metrics of runs with what controls them. All that is chosen stands in the view. */
export function Charts({ metrics, runs, view, change, syncKey, specs, isGrouped = false }: Props) {
  const look = useMemo(() => chartLook(view), [view]);
  const found = matching(metrics, view.metrics ?? "");
  const shown = found ?? metrics;
  const own = view.own ?? NOTHING;
  const charts = useMemo(
    () => specs?.(shown) ?? specsOf(shown, view.together ?? false),
    [shown.join("\n"), view.together, specs],
  );
  const ownCharts = useMemo(() => ownSpecs(own, metrics, METRICS_PER_CHART_MAX), [own, metrics.join("\n")]);
  const [edited, setEdited] = useState<number | null>(null);
  const keep = (charts: OwnChart[]) => change({ own: charts.length ? charts : undefined });
  return (
    <>
      <ChartControls
        view={view}
        change={change}
        metrics={metrics}
        patternIsBad={found === null}
        isGrouped={isGrouped}
        onNewChart={() => setEdited(own.length)}
      />
      {metrics.length === 0 ? (
        <Empty title="These runs have logged no metrics" />
      ) : runs.ids.length === 0 && !runs.groups?.looks.size ? (
        <Empty title="All runs are hidden">Click the marks in the table to show them.</Empty>
      ) : found?.length === 0 && own.length === 0 ? (
        <Empty title="No metric is called so">
          <Button onClick={() => change({ metrics: undefined })}>Show all metrics</Button>
        </Empty>
      ) : (
        <div className={styles.grid}>
          <ChartGrid
            own={ownCharts}
            charts={charts}
            view={view}
            change={change}
            size={view.size ?? "small"}
            runs={runs}
            look={look}
            syncKey={syncKey}
            onEdit={setEdited}
            onRemove={(number) => keep(own.filter((_, place) => place !== number))}
          />
        </div>
      )}
      {edited !== null && (
        <OwnChartDialog
          chart={own[edited] ?? {}}
          metrics={metrics}
          columnIds={runs.plots?.columns.map(({ id }) => id) ?? NOTHING}
          onClose={() => setEdited(null)}
          onChart={(chart) => keep([...own.slice(0, edited), chart, ...own.slice(edited + 1)])}
        />
      )}
    </>
  );
}
