import { useMemo, useState } from "react";

import type { ChartRuns } from "../../charts/ChartBody";
import { ChartGrid } from "../../charts/ChartGrid";
import { OwnChartDialog } from "../../charts/OwnChartDialog";
import { ownSpecs, type OwnChart } from "../../charts/specs";
import type { Row } from "../../compare/rows";
import type { Run } from "../../gen/stepwell_api/v1/runs_pb";
import { Button } from "../../parts/Button";
import { usualAxes } from "../../plots/AxisFields";
import { PLOTS, type PlotKind } from "../../plots/kinds";
import { numberOf } from "../../plots/scale";
import { keyId } from "../../table/columns";
import { chartLook } from "../../url/chartsView";
import type { RunsView } from "../../url/runsView";
import { usePlotSource } from "../runs/usePlotSource";
import styles from "./ComparePage.module.css";

interface Props {
  runs: Run[];
  rows: Row[];
  colors: ReadonlyMap<string, string>;
  view: RunsView;
  change: (part: Partial<RunsView>) => void;
}

/** What is there before somebody chooses. */
const USUAL: PlotKind[] = ["parallel", "scatter", "box", "contour"];
const NO_CHARTS: never[] = [];
const NOBODY: ReadonlySet<string> = new Set();

/** The compared runs in parallel coordinates, a scatter plot, boxes and a contour; axes are changed in each plot's menu. */
export function ComparePlots({ runs, rows, colors, view, change }: Props) {
  const plots = usePlotSource({ runs, colors, hidden: NOBODY, view, fixed: true });
  const columnIds = useMemo(() => plots.columns.map(({ id }) => id), [plots.columns]);
  const differing = useMemo(() => differingIds(rows, columnIds), [rows, columnIds]);
  const own = useMemo(() => view.plots ?? usual(differing), [view.plots, differing]);
  const [edited, setEdited] = useState<number | null>(null);
  const keep = (charts: OwnChart[]) => change({ plots: charts });
  const shown: ChartRuns = { ids: [], looks: new Map(), live: false, plots };
  return (
    <>
      <div className={styles.tools}>
        <Button onClick={() => setEdited(own.length)}>New plot</Button>
        {view.plots && <Button onClick={() => change({ plots: undefined })}>The usual ones</Button>}
      </div>
      <ChartGrid
        own={ownSpecs(own, NO_CHARTS, 0)}
        charts={NO_CHARTS}
        view={view}
        change={change}
        size={view.size ?? "large"}
        runs={shown}
        look={chartLook(view)}
        syncKey="plots"
        ownTitle="Plots"
        onEdit={setEdited}
        onRemove={(number) => keep(own.filter((_, place) => place !== number))}
      />
      {edited !== null && (
        <OwnChartDialog
          chart={own[edited] ?? { kind: "scatter", columns: usualAxes("scatter", columnIds) }}
          metrics={NO_CHARTS}
          columnIds={columnIds}
          onClose={() => setEdited(null)}
          onChart={(chart) => keep([...own.slice(0, edited), chart, ...own.slice(edited + 1)])}
        />
      )}
    </>
  );
}

/**
 * The columns in which the runs differ, those of numbers first: what is the same in all of them is no axis to begin with,
 * and a long text says little on one.
 */
function differingIds(rows: Row[], columnIds: string[]): string[] {
  const differing = new Map(
    rows.flatMap((row) =>
      row.differs && row.kind !== "datasets" ? [[keyId(row.kind, row.key), isOfNumbers(row)] as const] : [],
    ),
  );
  const found = columnIds.filter((id) => differing.has(id));
  return [...found.filter((id) => differing.get(id)), ...found.filter((id) => !differing.get(id))];
}

function isOfNumbers({ values }: Row): boolean {
  return values.every((value) => value === undefined || numberOf(value) !== null);
}

/** The usual plots that these columns have enough axes for. */
function usual(columnIds: string[]): OwnChart[] {
  return USUAL.map((kind) => ({ kind, columns: usualAxes(kind, columnIds) })).filter(
    ({ kind, columns }) => columns.length >= PLOTS[kind].needed,
  );
}
