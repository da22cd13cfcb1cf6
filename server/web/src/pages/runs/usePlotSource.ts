import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";

import type { Run } from "../../gen/stepwell_api/v1/runs_pb";
import type { PlotSource } from "../../plots/PlotPane";
import { keysQuery } from "../../queries/keys";
import { attributeColumns, keyId, type Column } from "../../table/columns";
import type { RunsView } from "../../url/runsView";

interface Given {
  runs: Run[];
  colors: ReadonlyMap<string, string>;
  hidden: ReadonlySet<string>;
  view: RunsView;
  fixed?: boolean;
}

const KINDS = ["params", "metrics", "tags"] as const;
const OWN_TAG = /^(mlflow|stepwell)\./;

/** What plots show beside a table of runs: what its filter finds, or the given runs alone. */
export function usePlotSource({ runs, colors, hidden, view, fixed }: Given): PlotSource {
  const named = [...new Set(runs.map((run) => String(run.info?.experimentId ?? 0n)))].sort().join();
  const experimentIds = useMemo(() => named.split(",").filter(Boolean).map(BigInt), [named]);
  const deleted = view.deleted ?? false;
  const known = useQuery({ ...keysQuery(experimentIds, deleted), enabled: !fixed && runs.length > 0 });
  return useMemo(() => {
    const keys = known.data ?? (fixed ? keysOf(runs) : { params: [], metrics: [], tags: [] });
    const columns: Column[] = KINDS.flatMap((kind) => keys[kind].map((key) => ({ id: keyId(kind, key), kind, key })));
    const order = view.order ?? "start_time";
    return {
      runs: fixed ? runs : null,
      search: {
        experimentIds,
        filter: view.q ?? "",
        deleted,
        orderBy: [`${order} ${view.order === undefined || view.descending ? "DESC" : "ASC"}`],
      },
      hidden,
      colors,
      columns: [...columns, ...attributeColumns],
    };
  }, [known.data, fixed, runs, experimentIds, view.q, deleted, view.order, view.descending, hidden, colors]);
}

function keysOf(runs: Run[]) {
  const order = new Intl.Collator("en", { numeric: true }).compare;
  const all = (kind: (typeof KINDS)[number]) =>
    [...new Set(runs.flatMap((run) => run[kind].map(({ key }) => key)))].sort(order);
  return { params: all("params"), metrics: all("metrics"), tags: all("tags").filter((key) => !OWN_TAG.test(key)) };
}
