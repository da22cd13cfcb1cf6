import { Fragment, type KeyboardEvent } from "react";

import { label, sortable, type Column } from "./columns";
import { ariaColumn, type Placed } from "./layout";
import { Border } from "./Border";
import styles from "./RunsTable.module.css";
import { NAME_ID } from "./widths";

export interface Order {
  id: string;
  descending: boolean;
}

interface Props {
  placed: Placed[];
  by: string[];
  order: Order;
  onOrder: (order: Order) => void;
  isAllSelected: boolean;
  onSelectAll: (selected: boolean) => void;
  columns: Column[];
  onColumns: (ids: string[]) => void;
  widthOf: (id: string) => number;
  onWidth: (id: string, width: number | null, isLast: boolean) => void;
}

const NAME: Column = { id: NAME_ID, kind: "attribute", key: NAME_ID };
const WIDTH_STEP_PX = 16;

/** The names of the columns: a click sorts, Alt with an arrow key moves a column, with Shift it changes its width. */
export function Header(props: Props) {
  const { placed, by, order, onOrder, isAllSelected, onSelectAll, columns, onColumns, widthOf, onWidth } = props;
  const sort = ({ id, kind }: Column) =>
    onOrder({ id, descending: order.id === id ? !order.descending : kind !== "params" });
  const move = (number: number, step: -1 | 1) => {
    const ids = columns.map((it) => it.id);
    const other = number + step;
    if (other < 0 || other >= ids.length) return;
    [ids[number], ids[other]] = [ids[other] as string, ids[number] as string];
    onColumns(ids);
  };
  const title = (column: Column, move?: (step: -1 | 1) => void) => {
    const at = order.id === column.id;
    return {
      role: "columnheader",
      "aria-sort": at ? (order.descending ? ("descending" as const) : ("ascending" as const)) : undefined,
      children: (
        <button
          type="button"
          title={column.id}
          disabled={!sortable(column)}
          onClick={() => sort(column)}
          onKeyDown={(event: KeyboardEvent) => {
            if (!event.altKey || !(event.key === "ArrowLeft" || event.key === "ArrowRight")) return;
            event.preventDefault();
            const step = event.key === "ArrowLeft" ? -1 : 1;
            if (event.shiftKey) onWidth(column.id, widthOf(column.id) + step * WIDTH_STEP_PX, true);
            else move?.(step);
          }}
        >
          {label(column)}
          {column.of && <small> {column.of}</small>}
          {at && <span aria-hidden="true">{order.descending ? " ↓" : " ↑"}</span>}
        </button>
      ),
    };
  };
  return (
    <div className={styles.header} role="row" aria-rowindex={1}>
      <div className={styles.start}>
        <div className={styles.marks} role="columnheader" aria-label="Selected">
          <input
            type="checkbox"
            aria-label="Select all runs that the filter finds"
            checked={isAllSelected}
            onChange={() => onSelectAll(!isAllSelected)}
          />
        </div>
        {by.length ? (
          <div role="columnheader" className={styles.name}>
            {by.join(", ")}
          </div>
        ) : (
          <div className={styles.name} {...title(NAME)} />
        )}
        <Border name="names" width={widthOf(NAME_ID)} onWidth={(...to) => onWidth(NAME_ID, ...to)} />
      </div>
      {placed.map(({ column, number, left, width }) => (
        <Fragment key={column.id}>
          <div
            className={`${styles.cell} ${column.kind === "metrics" ? styles.number : ""}`}
            style={{ left, width }}
            aria-colindex={ariaColumn(number)}
            {...title(column, (step) => move(number, step))}
          />
          <Border name={column.id} left={left + width} width={width} onWidth={(...to) => onWidth(column.id, ...to)} />
        </Fragment>
      ))}
    </div>
  );
}
