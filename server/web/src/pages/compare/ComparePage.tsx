import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useMemo } from "react";

import { compared } from "../../compare/rows";
import { tablesOf } from "../../compare/tables";
import { RunStatus, type Run } from "../../gen/stepwell_api/v1/runs_pb";
import { ImageSteps } from "../../media/ImageSteps";
import { Empty, Failure, Loading } from "../../parts/Notice";
import { Tabs } from "../../parts/Tabs";
import { useTitle } from "../../parts/useTitle";
import { useExperiments } from "../../queries/experiments";
import { useLooksAgain } from "../../queries/looksAgain";
import { wholeRunsQuery } from "../../queries/runs";
import { RUNS_PER_CHART_MAX } from "../../queries/samples";
import { SELECTED_MAX, type RunsView } from "../../url/runsView";
import { ChartsPane } from "../runs/ChartsPane";
import { lastView } from "../runs/lastViews";
import { useRunColors } from "../runs/runs";
import styles from "./ComparePage.module.css";
import { ComparePlots } from "./ComparePlots";
import { CompareTables } from "./CompareTables";
import { CompareValues } from "./CompareValues";

const route = getRouteApi("/compare");
const NO_RUNS: Run[] = [];

/** Chosen runs side by side: what they have in common, what differs, their charts, plots, images and tables. */
export function ComparePage() {
  const view = route.useSearch();
  const wanted = useMemo(() => (view.runs ?? []).slice(0, SELECTED_MAX), [view.runs]);
  const { data: runs = NO_RUNS, isPending, isLoadingError, error, refetch } = useQuery(wholeRunsQuery(wanted));
  if (wanted.length === 0) return <Empty title="No runs to compare">Select some in a table of runs.</Empty>;
  if (isPending) return <Loading what="the runs" />;
  if (isLoadingError) return <Failure error={error} retry={() => void refetch()} />;
  if (runs.length === 0) return <Empty title="None of these runs exists" />;
  return <Compared runs={runs} missing={(view.runs ?? []).length - runs.length} />;
}

function Compared({ runs, missing }: { runs: Run[]; missing: number }) {
  const view = route.useSearch();
  const navigate = route.useNavigate();
  useLooksAgain(runs);
  const rows = useMemo(() => compared(runs), [runs]);
  const metrics = useMemo(() => rows.filter((row) => row.kind === "metrics").map((row) => row.key), [rows]);
  const tables = useMemo(() => tablesOf(runs), [runs]);
  const drawn = useMemo(() => ({ runs: runs.slice(0, RUNS_PER_CHART_MAX) }), [runs]);
  const colors = useRunColors(runs, drawn.runs);
  const change = (part: Partial<RunsView>) => void navigate({ search: (now) => ({ ...now, ...part }), replace: true });
  const shown = { runs, colors, view, change };
  const tabs = [
    { id: "values", label: "Values", count: rows.filter((row) => row.differs).length },
    { id: "charts", label: "Charts", count: metrics.length },
    { id: "plots", label: "Plots" },
    { id: "images", label: "Images" },
    { id: "tables", label: "Tables", count: tables.length },
  ];
  const tab = tabs.find(({ id }) => id === view.tab)?.id ?? "values";
  return (
    <div className={styles.page}>
      <header className={styles.header}>
        <Where runs={runs} />
        {missing > 0 && <small>{missing} more are not there, or more than are compared at once</small>}
      </header>
      <Tabs
        tabs={tabs}
        chosen={tab}
        onChoose={(id) => void navigate({ search: (now) => ({ ...now, tab: id === "values" ? undefined : id }) })}
      />
      {tab === "charts" && <ChartsPane {...shown} drawn={drawn} fixed metrics={metrics} />}
      {tab === "plots" && <ComparePlots {...shown} rows={rows} />}
      {tab === "images" && (
        <ImageSteps
          runs={runs.flatMap(({ info }) =>
            info ? [{ runId: info.runId, name: info.name, live: info.status === RunStatus.RUNNING }] : [],
          )}
        />
      )}
      {tab === "tables" && <CompareTables runs={runs} paths={tables} colors={colors} />}
      {tab === "values" && <CompareValues runs={runs} rows={rows} colors={colors} />}
    </div>
  );
}

/** The way back, to where these runs are selected, and what is compared. */
function Where({ runs }: { runs: Run[] }) {
  const selected = runs.flatMap(({ info }) => info?.runId ?? []);
  const ids = useMemo(() => [...new Set(runs.map(({ info }) => info?.experimentId ?? 0n))], [runs]);
  const { names } = useExperiments(ids);
  const named = ids.map((id) => names.get(String(id)) ?? String(id)).join(", ");
  const title = `${runs.length} runs compared`;
  useTitle(title);
  return (
    <>
      <Link to="/">Experiments</Link>
      <span aria-hidden="true">/</span>
      <Link
        to="/experiments/$experimentId"
        params={{ experimentId: ids.join(",") }}
        search={{ ...lastView(ids), selected, everything: undefined, except: undefined }}
        className={styles.experiments}
        title={named}
      >
        {named}
      </Link>
      <span aria-hidden="true">/</span>
      <h1>{title}</h1>
    </>
  );
}
