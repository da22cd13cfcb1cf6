import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useMemo, useState } from "react";

import { compared } from "../../compare/rows";
import { RunStatus, type Run } from "../../gen/stepwell_api/v1/runs_pb";
import { ImageSteps } from "../../media/ImageSteps";
import { Empty, Failure, Loading } from "../../parts/Notice";
import { Field } from "../../parts/Field";
import { Tabs } from "../../parts/Tabs";
import { wholeRunsQuery } from "../../queries/runs";
import { RUNS_PER_CHART_MAX } from "../../queries/samples";
import { SELECTED_MAX } from "../../url/runsView";
import { ChartsPane } from "../runs/ChartsPane";
import { useRunColors } from "../runs/runs";
import styles from "./ComparePage.module.css";
import { CompareTable } from "./CompareTable";

const route = getRouteApi("/compare");
const TABS = ["charts", "images"] as const;
const NO_RUNS: Run[] = [];

/** Chosen runs side by side: what they have in common, what differs, and their charts over each other. */
export function ComparePage() {
  const view = route.useSearch();
  const navigate = route.useNavigate();
  const wanted = useMemo(() => (view.runs ?? []).slice(0, SELECTED_MAX), [view.runs]);
  const { data: runs = NO_RUNS, isPending, error } = useQuery(wholeRunsQuery(wanted));
  const colors = useRunColors(runs);
  const rows = useMemo(() => compared(runs), [runs]);
  const metrics = useMemo(() => rows.filter((row) => row.kind === "metrics").map((row) => row.key), [rows]);
  const drawn = useMemo(() => ({ runs: runs.slice(0, RUNS_PER_CHART_MAX) }), [runs]);
  const [text, setText] = useState("");
  const shown = useMemo(() => {
    const part = text.toLowerCase();
    return rows.filter((row) => (view.all || row.differs) && row.key.toLowerCase().includes(part));
  }, [rows, view.all, text]);
  if (wanted.length === 0) return <Empty title="No runs to compare">Select some in a table of runs.</Empty>;
  if (isPending) return <Loading what="the runs" />;
  if (error) return <Failure error={error} />;
  if (runs.length === 0) return <Empty title="None of these runs exists" />;
  const tab = TABS.find((one) => one === view.tab) ?? "values";
  return (
    <div className={styles.page}>
      <header className={styles.header}>
        <h1>{runs.length} runs compared</h1>
        {runs.length < (view.runs ?? []).length && (
          <small>{(view.runs ?? []).length - runs.length} more are not there, or more than are compared at once</small>
        )}
        {tab === "values" && (
          <Field
            label="Search keys"
            hideLabel
            type="search"
            data-search
            placeholder="Search params, metrics, tags"
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
        )}
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
          drawn={drawn}
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
        <CompareTable
          runs={runs}
          rows={shown}
          colors={colors}
          baseline={Math.max(
            0,
            runs.findIndex((run) => run.info?.runId === view.baseline),
          )}
          onBaseline={(baseline) => void navigate({ search: (now) => ({ ...now, baseline }), replace: true })}
          onRemove={(id) =>
            void navigate({ search: (now) => ({ ...now, runs: now.runs?.filter((one) => one !== id) }) })
          }
        />
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
