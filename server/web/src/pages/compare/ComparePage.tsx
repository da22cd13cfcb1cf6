import { getRouteApi } from "@tanstack/react-router";
import { useMemo } from "react";

import { compared } from "../../compare/rows";
import { RunStatus, type Run } from "../../gen/stepwell_api/v1/runs_pb";
import { ImageSteps } from "../../media/ImageSteps";
import { Empty, Failure, Loading } from "../../parts/Notice";
import { Tabs } from "../../parts/Tabs";
import { useCompared } from "../../queries/compared";
import { ChartsPane } from "../runs/ChartsPane";
import { useRunColors } from "../runs/runs";
import styles from "./ComparePage.module.css";
import { CompareTable } from "./CompareTable";

const route = getRouteApi("/compare");
const TABS = ["charts", "images"] as const;
const NOBODY: ReadonlySet<string> = new Set();

/** Chosen runs side by side: what they have in common, what differs, and their charts over each other. */
export function ComparePage() {
  const view = route.useSearch();
  const navigate = route.useNavigate();
  const { runs, isPending, error } = useCompared(view.runs ?? []);
  const colors = useRunColors(runs);
  const rows = useMemo(() => compared(runs), [runs]);
  const metrics = useMemo(() => rows.filter((row) => row.kind === "metrics").map((row) => row.key), [rows]);
  if ((view.runs ?? []).length === 0) return <Empty title="No runs to compare">Select some in a table of runs.</Empty>;
  if (isPending) return <Loading what="the runs" />;
  if (error) return <Failure error={error} />;
  const tab = TABS.find((one) => one === view.tab) ?? "values";
  return (
    <div className={styles.page}>
      <header className={styles.header}>
        <h1>{runs.length} runs compared</h1>
        {tab === "values" && (
          <label>
            <input
              type="checkbox"
              checked={view.all !== true}
              onChange={(event) =>
                void navigate({ search: (now) => ({ ...now, all: event.target.checked ? undefined : true }) })
              }
            />{" "}
            Differences only
          </label>
        )}
      </header>
      <Tabs
        tabs={[
          { id: "values", label: "Values", count: rows.filter((row) => row.differs).length },
          { id: "charts", label: "Charts", count: metrics.length },
          { id: "images", label: "Images" },
        ]}
        chosen={tab}
        onChoose={(id) => void navigate({ search: (now) => ({ ...now, tab: id === "values" ? undefined : id }) })}
      />
      {tab === "charts" && <Legend runs={runs} colors={colors} />}
      {tab === "charts" ? (
        <ChartsPane
          runs={runs}
          colors={colors}
          hidden={NOBODY}
          fixed
          metrics={metrics}
          view={view}
          change={(part) => void navigate({ search: (now) => ({ ...now, ...part }), replace: true })}
        />
      ) : tab === "images" ? (
        <ImageSteps
          runs={runs.flatMap(({ info }) =>
            info ? [{ runId: info.runId, name: info.name, live: info.status === RunStatus.RUNNING }] : [],
          )}
        />
      ) : (
        <CompareTable runs={runs} rows={view.all ? rows : rows.filter((row) => row.differs)} colors={colors} />
      )}
    </div>
  );
}

function Legend({ runs, colors }: { runs: Run[]; colors: Map<string, string> }) {
  return (
    <ul className={styles.legend} aria-label="Runs">
      {runs.map(({ info }) => (
        <li key={info?.runId}>
          <i style={{ background: colors.get(info?.runId ?? "") }} />
          {info?.name}
        </li>
      ))}
    </ul>
  );
}
