import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useCallback, useMemo, useState } from "react";

import { Failure, Empty, Loading } from "../../parts/Notice";
import { experimentQuery } from "../../queries/experiments";
import { countQuery, keysQuery, NO_KEYS } from "../../queries/keys";
import { runsQuery } from "../../queries/runs";
import { column, keyId, type Column } from "../../table/columns";
import { RunsTable, type Order } from "../../table/RunsTable";
import { whole } from "../../url/search";
import type { RunsView } from "../../url/runsView";
import { Missing } from "../Missing";
import { ChartsPane } from "./ChartsPane";
import { Header } from "./Header";
import { Selection } from "./Selection";
import styles from "./RunsPage.module.css";
import { useRunColors } from "./runs";

const route = getRouteApi("/experiments/$experimentId");
const NEWEST: Order = { id: "start_time", descending: true };
const PARAM_COLUMNS = 4;
const METRIC_COLUMNS = 4;

/** The runs of an experiment: a table and charts, side by side or one of them alone. */
export function RunsPage() {
  const { experimentId } = route.useParams();
  const id = whole(experimentId);
  return id === undefined ? <Missing /> : <Runs experimentId={id} key={experimentId} />;
}

function Runs({ experimentId }: { experimentId: bigint }) {
  const view = route.useSearch();
  const navigate = route.useNavigate();
  const change = useCallback(
    (part: Partial<RunsView>) => void navigate({ search: (now) => ({ ...now, ...part }), replace: true }),
    [navigate],
  );
  const experiment = useQuery(experimentQuery(experimentId));
  const order: Order = view.order ? { id: view.order, descending: view.descending ?? false } : NEWEST;
  const filter = view.q ?? "";
  const deleted = view.deleted ?? false;
  const known = useQuery(keysQuery(experimentId, deleted));
  const keys = known.data ?? NO_KEYS;
  const columns = useMemo(() => chosen(view.columns) ?? usual(keys), [view.columns, keys]);
  const count = useQuery(countQuery(experimentId, filter, deleted));
  const found = useInfiniteQuery({
    ...runsQuery({
      experimentIds: [experimentId],
      filter,
      deleted,
      orderBy: [`${order.id} ${order.descending ? "DESC" : "ASC"}`],
      params: keysOf(columns, "params"),
      metrics: keysOf(columns, "metrics"),
      tags: keysOf(columns, "tags"),
    }),
    enabled: !known.isPending,
  });
  const runs = useMemo(() => found.data?.pages.flatMap((page) => page.runs) ?? [], [found.data]);
  const colors = useRunColors(runs);
  const hidden = useMemo(() => new Set(view.hidden), [view.hidden]);
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const select = (ids: string[], on: boolean) =>
    setSelected((now) => new Set(on ? [...now, ...ids] : [...now].filter((id) => !ids.includes(id))));
  const toggle = (id: string) =>
    change({ hidden: hidden.has(id) ? [...hidden].filter((it) => it !== id) : [...hidden, id] });
  const { fetchNextPage, isFetchingNextPage } = found;
  const more = useCallback(() => {
    if (!isFetchingNextPage) void fetchNextPage();
  }, [fetchNextPage, isFetchingNextPage]);

  if (experiment.isError) return <Failure error={experiment.error} />;
  const nothing = found.isPending ? (
    <Loading what="runs" />
  ) : found.isError && runs.length === 0 && !view.q ? (
    <Failure error={found.error} retry={() => void found.refetch()} />
  ) : runs.length === 0 ? (
    <Empty
      title={
        found.isError
          ? "The filter has a mistake"
          : view.q
            ? "No run fulfils the filter"
            : view.deleted
              ? "No run is deleted"
              : "No runs yet"
      }
    >
      {!view.q && !view.deleted && <Start name={experiment.data?.name ?? ""} />}
    </Empty>
  ) : null;
  return (
    <div className={styles.page}>
      <Header
        experiment={experiment.data}
        view={view}
        change={change}
        error={found.isError ? found.error : null}
        keys={keys}
        columns={columns}
        count={count.data}
      />
      {selected.size > 0 && (
        <Selection runIds={[...selected]} deleted={view.deleted ?? false} onDone={() => setSelected(new Set())} />
      )}
      {nothing ?? (
        <div className={`${styles.panes} ${view.view ? styles.alone : ""}`}>
          {view.view !== "charts" && (
            <RunsTable
              runs={runs}
              columns={columns}
              order={order}
              onOrder={({ id, descending }) => change({ order: id, descending: descending || undefined })}
              colors={colors}
              hidden={hidden}
              onToggle={toggle}
              selected={selected}
              onSelect={select}
              hasMore={found.hasNextPage}
              onMore={more}
            />
          )}
          {view.view !== "table" && (
            <ChartsPane
              runs={runs}
              colors={colors}
              hidden={hidden}
              metrics={keys.metrics}
              view={view}
              change={change}
            />
          )}
        </div>
      )}
    </div>
  );
}

function Start({ name }: { name: string }) {
  const script = `import stepwell

stepwell.set_tracking_uri("${window.location.origin}")
stepwell.set_experiment(${JSON.stringify(name)})

with stepwell.start_run():
    stepwell.log_param("lr", 0.1)
    for step in range(100):
        stepwell.log_metric("loss", 1 / (1 + step), step=step)`;
  return <pre className={styles.script}>{script}</pre>;
}

function keysOf(columns: Column[], kind: Column["kind"]): string[] {
  return columns.filter((it) => it.kind === kind).map((it) => it.key);
}

function chosen(ids: string[] | undefined): Column[] | null {
  return ids ? ids.map(column).filter((it) => it !== null) : null;
}

/** The columns of somebody who has not chosen any. */
function usual({ params, metrics }: { params: string[]; metrics: string[] }): Column[] {
  const ids = [
    "status",
    "start_time",
    "duration",
    ...metrics.slice(0, METRIC_COLUMNS).map((key) => keyId("metrics", key)),
    ...params.slice(0, PARAM_COLUMNS).map((key) => keyId("params", key)),
  ];
  return ids.map(column).filter((it) => it !== null);
}
