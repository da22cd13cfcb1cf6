import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { lazy, Suspense, useCallback, useEffect, useMemo, useState, type CSSProperties } from "react";

import { counted } from "../../format/numbers";
import { useExperiments } from "../../queries/experiments";
import { countQuery, keysQuery, NO_KEYS } from "../../queries/keys";
import { useLiveRuns } from "../../queries/live";
import { Answer } from "../../parts/Answer";
import { Awaited } from "../../parts/Notice";
import type { TableActions } from "../../table/layout";
import { ExperimentNames } from "../../table/ExperimentNames";
import { toggled } from "../../table/drawn";
import { RunsTable } from "../../table/RunsTable";
import { OPEN_MAX, SPLIT_USUAL, type RunsView } from "../../url/runsView";
import { wholes } from "../../url/search";
import { OfExperiments } from "../access/may";
import { Missing, Unshown } from "../Missing";
import { useAsked } from "./asked";
import { Header } from "./Header";
import { rememberView } from "./lastViews";
import { Nothing } from "./Nothing";
import { RowMenu, type MenuPlace } from "./RowMenu";
import styles from "./RunsPage.module.css";
import { Selection } from "./Selection";
import { Split } from "./Split";
import { useDrawn } from "./useDrawn";
import { useLayout } from "./useLayout";
import { useOpenAtFirst } from "./useOpenAtFirst";
import { useRows } from "./useRows";
import { useSavedView } from "./useSavedView";
import { useSelection } from "./useSelection";

const route = getRouteApi("/experiments/$experimentId");
// Who opens the list of experiments, or a table alone, need not wait for charts.
const loadCharts = () => import("./ChartsPane").then(({ ChartsPane }) => ({ default: ChartsPane }));
const ChartsPane = lazy(loadCharts);

/** The runs of an experiment, or of several at once: a table and charts, side by side or one of them alone. */
export function RunsPage() {
  const { experimentId } = route.useParams();
  const ids = useMemo(() => wholes(experimentId), [experimentId]);
  if (!ids) return <Missing />;
  return (
    <OfExperiments ids={ids}>
      <Runs experimentIds={ids} key={experimentId} />
    </OfExperiments>
  );
}

function Runs({ experimentIds }: { experimentIds: bigint[] }) {
  const view = route.useSearch();
  const navigate = route.useNavigate();
  const change = useCallback(
    (part: Partial<RunsView>) => void navigate({ search: (now) => ({ ...now, ...part }), replace: true }),
    [navigate],
  );
  const deleted = view.deleted ?? false;
  const experiments = useExperiments(experimentIds);
  const known = useQuery(keysQuery(experimentIds, deleted));
  const keys = known.data ?? NO_KEYS;
  const layout = useLayout(experimentIds.join(), view, change);
  const asked = useAsked(experimentIds, view, keys, layout.columnIds);
  const count = useQuery(countQuery(experimentIds, asked.filter, deleted));
  const found = useRows(asked, view, !known.isPending);
  useOpenAtFirst(asked, view, found, keys.metrics, change);
  const drawn = useDrawn(found, asked, view);
  const hasCharts = view.view !== "table";
  // While the runs are asked for, and not when they are there.
  useEffect(() => void (hasCharts && loadCharts()), [hasCharts]);
  const selection = useSelection(asked, view, found.rows, count.data, change);
  const [menu, setMenu] = useState<MenuPlace | null>(null);
  const actions = useActions(selection.select, found.moreOf, setMenu);

  const live = useLiveRuns(asked.search, found.isListed);
  const show = useCallback((next: RunsView) => void navigate({ search: next }), [navigate]);
  useSavedView(experimentIds, view, show);
  useEffect(() => rememberView(experimentIds, view), [experimentIds, view]);

  if (experiments.error) return <Unshown error={experiments.error} retry={experiments.retry} />;
  return (
    <div className={styles.page}>
      <Header
        experiments={experiments.found}
        asked={asked}
        view={view}
        change={change}
        show={show}
        onColumns={layout.setColumns}
        error={found.error}
        keys={keys}
        areKeysKnown={known.data !== undefined}
        count={count.data}
      />
      {live.fresh > 0 && (
        <button type="button" className={styles.fresh} onClick={live.show}>
          {counted(live.fresh, "new run")}: show
        </button>
      )}
      <Selection asked={asked} selection={selection} runs={found.runs} view={view} change={change} />
      {found.rows.length === 0 ? (
        <Nothing found={found} view={view} experiment={experiments.found[0]} change={change} />
      ) : (
        <ExperimentNames value={experiments.names}>
          <Awaited isAwaited={found.isAwaited}>
            <div
              className={`${styles.panes} ${view.view ? styles.alone : ""}`}
              style={{ "--split": `${view.split ?? SPLIT_USUAL}%` } as CSSProperties}
            >
              {view.view !== "charts" && (
                <RunsTable
                  rows={found.rows}
                  columns={asked.columns}
                  by={asked.by}
                  order={asked.order}
                  onOrder={({ id, descending }) => change({ order: id, descending: descending || undefined })}
                  onColumns={(ids) => known.data && layout.setColumns(ids)}
                  widths={layout.widths}
                  onWidths={layout.setWidths}
                  colors={drawn.colors}
                  drawn={drawn.ids}
                  isSelected={selection.has}
                  isAllSelected={selection.isEverything}
                  onSelectAll={selection.selectAll}
                  baseline={found.baseline}
                  actions={actions}
                  hasMore={found.hasMore}
                  onMore={found.more}
                />
              )}
              {!view.view && <Split percent={view.split ?? SPLIT_USUAL} onPercent={(split) => change({ split })} />}
              {hasCharts && (
                <Suspense fallback={<div className={styles.charts} />}>
                  <Answer found={known} what="metrics">
                    {({ metrics }) => (
                      <ChartsPane
                        runs={found.runs}
                        colors={drawn.colors}
                        drawn={drawn}
                        closed={found.closed}
                        metrics={metrics}
                        view={view}
                        change={change}
                      />
                    )}
                  </Answer>
                </Suspense>
              )}
            </div>
          </Awaited>
        </ExperimentNames>
      )}
      <RowMenu place={menu} onClose={() => setMenu(null)} view={view} change={change} />
    </div>
  );
}

function useActions(
  select: TableActions["select"],
  more: TableActions["more"],
  setMenu: (place: MenuPlace) => void,
): TableActions {
  const navigate = route.useNavigate();
  return useMemo(
    () => ({
      toggle: (id, isShown) => void navigate({ search: (now) => toggled(now, id, isShown), replace: true }),
      select,
      open: (key, open) =>
        void navigate({
          search: (now) => ({ ...now, open: listed(now.open, key, open).slice(-OPEN_MAX) }),
          replace: true,
        }),
      more,
      menu: (run, x, y) => setMenu({ run, x, y }),
    }),
    [navigate, select, more, setMenu],
  );
}

function listed(list: string[] | undefined, one: string, on: boolean): string[] {
  const rest = (list ?? []).filter((it) => it !== one);
  return on ? [...rest, one] : rest;
}
