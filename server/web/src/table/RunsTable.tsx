import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef } from "react";

import type { Run } from "../gen/stepwell_api/v1/runs_pb";
import type { Column } from "./columns";
import { GroupLine } from "./GroupLine";
import { Header, type Order } from "./Header";
import { COLUMN_WIDTH, ROW_HEIGHT, START_WIDTH, type Placed, type TableActions } from "./layout";
import { MoreLine } from "./MoreLine";
import { RunLine } from "./RunLine";
import { runIdOf, type TableRow } from "./rows";
import styles from "./RunsTable.module.css";

// The next page is asked for when this few rows are left below.
const ROWS_AHEAD = 60;

interface Props {
  rows: TableRow[];
  columns: Column[];
  /** The fields of which the runs of a group have the same. */
  by: string[];
  order: Order;
  onOrder: (order: Order) => void;
  onColumns: (ids: string[]) => void;
  colors: ReadonlyMap<string, string>;
  hidden: ReadonlySet<string>;
  isSelected: (runId: string) => boolean;
  isAllSelected: boolean;
  onSelectAll: (selected: boolean) => void;
  baseline: Run | undefined;
  actions: TableActions;
  hasMore: boolean;
  onMore: () => void;
}

/** Runs in rows; only the rows and columns in view exist. The header sorts, marks show and hide runs in the charts. */
export function RunsTable(props: Props) {
  const { rows, columns, by, colors, hidden, isSelected, baseline, actions, hasMore, onMore } = props;
  const place = useRef<HTMLDivElement>(null);
  const lines = useVirtualizer({
    count: rows.length,
    getScrollElement: () => place.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 12,
  });
  const across = useVirtualizer({
    horizontal: true,
    count: columns.length,
    getScrollElement: () => place.current,
    estimateSize: () => COLUMN_WIDTH,
    paddingStart: START_WIDTH,
    overscan: 2,
  });
  const first = across.getVirtualItems()[0]?.index ?? 0;
  const behind = (across.getVirtualItems().at(-1)?.index ?? -1) + 1;
  const placed = useMemo<Placed[]>(
    () => columns.slice(first, behind).map((column, at) => ({ column, number: first + at })),
    [columns, first, behind],
  );
  const items = lines.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (hasMore && last >= rows.length - ROWS_AHEAD) onMore();
  }, [hasMore, last, rows.length, onMore]);
  return (
    <div
      ref={place}
      className={styles.scroll}
      role="table"
      aria-label="Runs"
      aria-rowcount={hasMore ? -1 : rows.length + 1}
      aria-colcount={columns.length + 2}
      tabIndex={-1}
    >
      <div className={styles.sheet} style={{ width: across.getTotalSize() }}>
        <Header {...props} placed={placed} />
        <div style={{ position: "relative", height: lines.getTotalSize() }} role="rowgroup">
          {items.map((item) => {
            const row = rows[item.index] as TableRow;
            const at = { top: item.start, index: item.index + 2 };
            if (row.kind === "group")
              return <GroupLine key={row.key} row={row} by={by} placed={placed} actions={actions} {...at} />;
            if (row.kind === "more") return <MoreLine key={row.key} row={row} actions={actions} {...at} />;
            const id = runIdOf(row.run);
            return (
              <RunLine
                key={row.key}
                row={row}
                placed={placed}
                color={colors.get(id) ?? ""}
                isShown={!hidden.has(id)}
                isSelected={isSelected(id)}
                baseline={baseline}
                actions={actions}
                {...at}
              />
            );
          })}
        </div>
      </div>
    </div>
  );
}
