import { useMemo } from "react";

import type { Keys } from "../../queries/keys";
import type { Projection, RunSearch } from "../../queries/runs";
import type { Scope } from "../../queries/values";
import { PARENT_TAG } from "../../queries/run";
import { column, keyId, type Column } from "../../table/columns";
import type { Order } from "../../table/Header";
import type { RunsView } from "../../url/runsView";
import { COLOR_TAG } from "./runs";

/** How the runs stand in the table. */
export type Shape = "flat" | "roots" | "hits" | "groups";

/** What a view asks the server for. */
export interface Asked {
  scope: Scope;
  filter: string;
  order: Order;
  columns: Column[];
  shape: Shape;
  by: string[];
  search: RunSearch;
}

const NEWEST: Order = { id: "start_time", descending: true };
const PARAM_COLUMNS = 4;
const METRIC_COLUMNS = 4;
const LOST_TAG = "stepwell.lost";

export function useAsked(experimentIds: bigint[], view: RunsView, keys: Keys, columnIds: string[] | undefined): Asked {
  return useMemo(() => {
    const deleted = view.deleted ?? false;
    const filter = view.q ?? "";
    const order: Order = view.order ? { id: view.order, descending: view.descending ?? false } : NEWEST;
    const by = view.group ?? [];
    const columns = chosen(columnIds) ?? usual(keys, experimentIds.length > 1, by.length > 0);
    const nested = view.nested !== "off" && keys.tags.includes(PARENT_TAG);
    const shape: Shape = by.length ? "groups" : !nested ? "flat" : filter ? "hits" : "roots";
    const search: RunSearch = {
      experimentIds,
      filter,
      deleted,
      orderBy: [`${order.id} ${order.descending ? "DESC" : "ASC"}`],
      as: shape === "groups" ? "flat" : shape,
      ...projectionOf(columns),
    };
    return { scope: { experimentIds, deleted }, filter, order, columns, shape, by, search };
  }, [experimentIds, view, keys, columnIds]);
}

/** The columns of a table as a file has them: id and name of the runs first. */
export function csvColumns({ columns }: Asked): string[] {
  return [...new Set(["run_id", "run_name", ...columns.map((it) => it.id)])];
}

function projectionOf(columns: Column[]): Projection {
  const of = (kind: Column["kind"]) => [...new Set(columns.filter((it) => it.kind === kind).map((it) => it.key))];
  return {
    params: of("params"),
    metrics: of("metrics"),
    tags: [...new Set([...of("tags"), LOST_TAG, COLOR_TAG])],
    summaries: columns.some((it) => it.of),
  };
}

function chosen(ids: string[] | undefined): Column[] | null {
  return ids ? ids.map(column).filter((it) => it !== null) : null;
}

/** The columns of somebody who has not chosen any. */
function usual({ params, metrics }: Keys, isOfSeveral: boolean, isGrouped: boolean): Column[] {
  const about = [...(isOfSeveral ? ["experiment_id"] : []), "status", "start_time", "duration"];
  const measured = metrics.slice(0, METRIC_COLUMNS).map((key) => keyId("metrics", key));
  const ids = [
    // Of a group, its metrics are what there is to tell.
    ...(isGrouped ? [...measured, ...about] : [...about, ...measured]),
    ...params.slice(0, PARAM_COLUMNS).map((key) => keyId("params", key)),
  ];
  return ids.map(column).filter((it) => it !== null);
}
