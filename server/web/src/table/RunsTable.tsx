import { Link } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef } from "react";

import { fullNumber, shortNumber } from "../format/numbers";
import { duration } from "../format/times";
import type { Run } from "../gen/stepwell_api/v1/runs_pb";
import { Status } from "../parts/Status";
import { Time } from "../parts/Time";
import { cell, label, sortable, type Column } from "./columns";
import styles from "./RunsTable.module.css";

const ROW_HEIGHT = 32;
const NAME_WIDTH = 220;
const COLUMN_WIDTH = 128;
// The next page is asked for when this few rows are left below.
const ROWS_AHEAD = 60;

export interface Order {
  id: string;
  descending: boolean;
}

interface Props {
  runs: Run[];
  columns: Column[];
  order: Order;
  onOrder: (order: Order) => void;
  colors: Map<string, string>;
  hidden: ReadonlySet<string>;
  onToggle: (runId: string) => void;
  selected: ReadonlySet<string>;
  onSelect: (runIds: string[], selected: boolean) => void;
  hasMore: boolean;
  onMore: () => void;
}

/** Runs in rows, of which only those in view exist; the header sorts, the mark shows and hides a run in the charts. */
export function RunsTable(props: Props) {
  const { runs, columns, hasMore, onMore } = props;
  const place = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({
    count: runs.length,
    getScrollElement: () => place.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 12,
  });
  const items = rows.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (hasMore && last >= runs.length - ROWS_AHEAD) onMore();
  }, [hasMore, last, runs.length, onMore]);
  const template = `56px ${NAME_WIDTH}px repeat(${columns.length}, ${COLUMN_WIDTH}px)`;
  return (
    <div ref={place} className={styles.scroll} role="table" aria-label="Runs" aria-rowcount={runs.length}>
      <div className={styles.sheet} style={{ width: 56 + NAME_WIDTH + columns.length * COLUMN_WIDTH }}>
        <Header {...props} template={template} />
        <div style={{ position: "relative", height: rows.getTotalSize() }} role="rowgroup">
          {items.map((item) => {
            const run = runs[item.index] as Run;
            return (
              <Row key={item.key} run={run} {...props} template={template} top={item.start} index={item.index + 1} />
            );
          })}
        </div>
      </div>
    </div>
  );
}

function Header({ runs, columns, order, onOrder, selected, onSelect, template }: Props & { template: string }) {
  const ids = runs.map((run) => run.info?.runId ?? "");
  const all = ids.length > 0 && ids.every((id) => selected.has(id));
  const named: Column = { id: "run_name", kind: "attribute", key: "run_name" };
  return (
    <div className={styles.header} style={{ gridTemplateColumns: template }} role="row">
      <div className={styles.marks} role="columnheader">
        <input
          type="checkbox"
          aria-label="Select all runs that are loaded"
          checked={all}
          onChange={() => onSelect(ids, !all)}
        />
      </div>
      {[named, ...columns].map((column) => {
        const at = order.id === column.id;
        return (
          <div
            key={column.id}
            role="columnheader"
            className={column.id === "run_name" ? styles.sticky : column.kind === "metrics" ? styles.figures : ""}
            aria-sort={at ? (order.descending ? "descending" : "ascending") : undefined}
          >
            <button
              type="button"
              title={column.id}
              disabled={!sortable(column)}
              onClick={() => onOrder({ id: column.id, descending: at ? !order.descending : column.kind !== "params" })}
            >
              {label(column)}
              {at && <span aria-hidden="true">{order.descending ? " ↓" : " ↑"}</span>}
            </button>
          </div>
        );
      })}
    </div>
  );
}

interface RowProps extends Props {
  run: Run;
  template: string;
  top: number;
  index: number;
}

function Row({ run, columns, colors, hidden, onToggle, selected, onSelect, template, top, index }: RowProps) {
  const info = run.info;
  if (!info) return null;
  const shown = !hidden.has(info.runId);
  return (
    <div
      className={`${styles.row} ${selected.has(info.runId) ? styles.selected : ""}`}
      style={{ gridTemplateColumns: template, height: ROW_HEIGHT, transform: `translateY(${top}px)` }}
      role="row"
      aria-rowindex={index}
    >
      <div className={styles.marks} role="cell">
        <input
          type="checkbox"
          aria-label={`Select ${info.name}`}
          checked={selected.has(info.runId)}
          onChange={(event) => onSelect([info.runId], event.target.checked)}
        />
        <button
          type="button"
          className={styles.mark}
          style={{ background: shown ? colors.get(info.runId) : "transparent", borderColor: colors.get(info.runId) }}
          aria-pressed={shown}
          aria-label={`${shown ? "Hide" : "Show"} ${info.name} in the charts`}
          title={shown ? "Hide in the charts" : "Show in the charts"}
          onClick={() => onToggle(info.runId)}
        />
      </div>
      <div className={`${styles.name} ${styles.sticky}`} role="rowheader">
        <Link
          to="/experiments/$experimentId/runs/$runId"
          params={{ experimentId: String(info.experimentId), runId: info.runId }}
          title={info.name}
        >
          {info.name}
        </Link>
      </div>
      {columns.map((column) => (
        <div key={column.id} role="cell" className={column.kind === "metrics" ? styles.number : ""}>
          <Cell run={run} column={column} />
        </div>
      ))}
    </div>
  );
}

function Cell({ run, column }: { run: Run; column: Column }) {
  if (column.id === "status" && run.info) return <Status status={run.info.status} />;
  const value = cell(run, column);
  if (value === undefined) return <span className={styles.nothing}>–</span>;
  if (column.id === "start_time" || column.id === "end_time") return <Time ms={value as number} />;
  if (column.id === "duration") return <>{duration(value as number)}</>;
  if (typeof value === "number") return <span title={fullNumber(value)}>{shortNumber(value)}</span>;
  return <span title={value}>{value}</span>;
}
