import { useCallback, useMemo, useRef } from "react";

import { say } from "../../parts/toast";
import { idFilter, type Chosen } from "../../queries/runs";
import { runIdOf, type TableRow } from "../../table/rows";
import { SELECTED_MAX, type RunsView } from "../../url/runsView";
import type { Asked } from "./asked";

export interface Selection {
  /** Chosen one by one; none where everything is. */
  runIds: string[];
  /** How many; unknown until the server has counted the hits. */
  count: number | undefined;
  isEverything: boolean;
  has: (runId: string) => boolean;
  /** The runs as a change of many wants them. */
  chosen: Chosen;
  select: (runId: string, selected: boolean, isRange: boolean) => void;
  selectAll: (selected: boolean) => void;
  clear: () => void;
}

type Change = (part: Partial<RunsView>) => void;

/** The selected runs, as the address has them: by their ids, or everything that the filter finds but for some. */
export function useSelection(asked: Asked, view: RunsView, rows: TableRow[], hits: bigint | undefined, change: Change) {
  const isEverything = view.everything ?? false;
  const named = isEverything ? view.except : view.selected;
  const ids = useMemo(() => new Set(named), [named]);
  const latest = useRef({ rows, ids, isEverything, last: "" });
  Object.assign(latest.current, { rows, ids, isEverything });

  const select = useCallback(
    (runId: string, selected: boolean, isRange: boolean) => {
      const now = latest.current;
      const touched = isRange ? between(now.rows, now.last, runId) : [runId];
      now.last = runId;
      const isNamed = selected !== now.isEverything;
      const next = [...now.ids].filter((id) => isNamed || !touched.includes(id));
      if (isNamed) next.push(...touched.filter((id) => !now.ids.has(id)));
      if (next.length > SELECTED_MAX) say(`At most ${SELECTED_MAX} runs are chosen one by one; filter, and choose all`);
      else change({ [now.isEverything ? "except" : "selected"]: next.length ? next : undefined });
    },
    [change],
  );
  const clear = useCallback(() => change({ selected: undefined, everything: undefined, except: undefined }), [change]);
  const selectAll = useCallback(
    (selected: boolean) => (selected ? change({ everything: true, selected: undefined, except: undefined }) : clear()),
    [change, clear],
  );
  return useMemo<Selection>(
    () => ({
      runIds: isEverything ? [] : [...ids],
      count: isEverything ? (hits === undefined ? undefined : Number(hits) - ids.size) : ids.size,
      isEverything,
      has: (runId) => ids.has(runId) !== isEverything,
      chosen: chosenOf(asked, isEverything, [...ids]),
      select,
      selectAll,
      clear,
    }),
    [asked, isEverything, ids, hits, select, selectAll, clear],
  );
}

function chosenOf({ search, filter }: Asked, isEverything: boolean, ids: string[]): Chosen {
  const { experimentIds } = search;
  if (!isEverything) return { experimentIds, filter: ids.length ? idFilter(ids) : "" };
  const found = filter ? `(${filter})` : "run_id IS NOT NULL";
  return { experimentIds, filter: ids.length ? `${found} AND NOT ${idFilter(ids)}` : found };
}

function between(rows: TableRow[], one: string, other: string): string[] {
  const ids = rows.flatMap((row) => (row.kind === "run" ? [runIdOf(row.run)] : []));
  const [a, b] = [ids.indexOf(one), ids.indexOf(other)];
  if (a < 0 || b < 0) return [other];
  return [...new Set(ids.slice(Math.min(a, b), Math.max(a, b) + 1))];
}
