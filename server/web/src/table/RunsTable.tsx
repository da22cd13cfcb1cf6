import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useLayoutEffect, useMemo, useRef, useState, type CSSProperties } from "react";

import type { Run } from "../gen/stepwell_api/v1/runs_pb";
import type { Column } from "./columns";
import { GroupLine } from "./GroupLine";
import { Header, type Order } from "./Header";
import { ROW_HEIGHT, type Placed, type TableActions } from "./layout";
import { MoreLine } from "./MoreLine";
import { RunLine } from "./RunLine";
import { useKeptOffset } from "./offset";
import { runIdOf, type TableRow } from "./rows";
import styles from "./RunsTable.module.css";
import { walk } from "./walking";
import { NAME_ID, widthOf, withWidth, type Widths } from "./widths";

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
  widths: Widths;
  onWidths: (widths: Widths) => void;
  /** Of runs and groups, by their ids. */
  colors: ReadonlyMap<string, string>;
  /** What is in the charts: runs and groups by their ids. */
  drawn: ReadonlySet<string>;
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
  const { rows, columns, by, colors, drawn, isSelected, baseline, actions, hasMore, onMore } = props;
  const place = useRef<HTMLDivElement>(null);
  // While somebody draws at a border, nobody else has to know.
  const [drawing, setDrawing] = useState<Widths | null>(null);
  const widths = drawing ?? props.widths;
  const start = widthOf(NAME_ID, widths);
  const resize = (id: string, width: number | null, isLast: boolean) => {
    const next = withWidth(widths, id, width);
    setDrawing(isLast ? null : next);
    if (isLast) props.onWidths(next);
  };
  const { initial, onScroll } = useKeptOffset();
  const lines = useVirtualizer({
    count: rows.length,
    getScrollElement: () => place.current,
    estimateSize: () => ROW_HEIGHT,
    initialOffset: initial,
    overscan: 12,
  });
  const across = useVirtualizer({
    horizontal: true,
    count: columns.length,
    getScrollElement: () => place.current,
    estimateSize: (number) => widthOf(columns[number]?.id ?? "", widths),
    paddingStart: start,
    overscan: 2,
  });
  useLayoutEffect(() => across.measure(), [widths, columns]);
  const first = across.getVirtualItems()[0]?.index ?? 0;
  const behind = (across.getVirtualItems().at(-1)?.index ?? -1) + 1;
  const placed = useMemo<Placed[]>(() => {
    const lefts = [start];
    for (const { id } of columns) lefts.push((lefts.at(-1) as number) + widthOf(id, widths));
    return columns.slice(first, behind).map((column, at) => {
      const number = first + at;
      return { column, number, left: lefts[number] as number, width: widthOf(column.id, widths) };
    });
  }, [columns, first, behind, widths, start]);
  const items = lines.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (hasMore && last >= rows.length - ROWS_AHEAD) onMore();
  }, [hasMore, last, rows.length, onMore]);
  return (
    <div
      ref={place}
      className={styles.scroll}
      role="treegrid"
      aria-label="Runs"
      onKeyDown={walk}
      onScroll={onScroll}
      aria-rowcount={hasMore ? -1 : rows.length + 1}
      aria-colcount={columns.length + 2}
      tabIndex={-1}
    >
      <div className={styles.sheet} style={{ width: across.getTotalSize(), "--start": `${start}px` } as CSSProperties}>
        <Header {...props} placed={placed} widthOf={(id) => widthOf(id, widths)} onWidth={resize} />
        <div style={{ position: "relative", height: lines.getTotalSize() }} role="rowgroup">
          {items.map((item) => {
            const row = rows[item.index] as TableRow;
            const at = { top: item.start, index: item.index + 2 };
            if (row.kind === "group")
              return (
                <GroupLine
                  key={row.key}
                  row={row}
                  by={by}
                  placed={placed}
                  color={colors.get(row.key) ?? null}
                  isShown={drawn.has(row.key)}
                  actions={actions}
                  {...at}
                />
              );
            if (row.kind === "more") return <MoreLine key={row.key} row={row} actions={actions} {...at} />;
            const id = runIdOf(row.run);
            return (
              <RunLine
                key={row.key}
                row={row}
                placed={placed}
                color={colors.get(id) ?? ""}
                isShown={drawn.has(id)}
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
