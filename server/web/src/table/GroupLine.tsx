import { memo } from "react";

import { counted, fullNumber, shortNumber } from "../format/numbers";
import type { Spread } from "../gen/stepwell_api/v1/search_pb";
import { ariaColumn, digitsIn, ROW_HEIGHT, type Placed, type TableActions } from "./layout";
import { Mark } from "./Mark";
import { Opener } from "./Opener";
import { groupValues, type GroupRow } from "./rows";
import styles from "./RunsTable.module.css";

interface Props {
  row: GroupRow;
  by: string[];
  placed: Placed[];
  /** Of its line in the charts; null where groups have none. */
  color: string | null;
  isShown: boolean;
  actions: TableActions;
  top: number;
  index: number;
}

/** A group: what its runs have in common, how many they are, mean and spread of its metrics. */
export const GroupLine = memo(function GroupLine(props: Props) {
  const { row, by, placed, color, isShown, actions, top, index } = props;
  const values = groupValues(row.group);
  const name = values.map((value) => value ?? "none").join(", ");
  const title = values.map((value, number) => `${by[number]}: ${value ?? "none"}`).join("\n");
  return (
    <div
      className={`${styles.row} ${styles.group}`}
      style={{ height: ROW_HEIGHT, transform: `translateY(${top}px)` }}
      role="row"
      aria-rowindex={index}
      aria-level={1}
    >
      <div className={styles.start}>
        <div className={styles.marks} role="gridcell">
          {color !== null && (
            <Mark id={row.key} name={name} color={color} isShown={isShown} onToggle={actions.toggle} />
          )}
        </div>
        <div className={styles.name} role="rowheader" title={title}>
          <Opener isOpen={row.isOpen} name={name} onOpen={(open) => actions.open(row.key, open)} />
          <span>
            {values.map((value, number) => (
              <span key={number}>
                {number > 0 && ", "}
                {value ?? <i>none</i>}
              </span>
            ))}
          </span>
        </div>
        <div className={styles.more} role="gridcell">
          <small>{counted(row.group.runs, "run")}</small>
        </div>
      </div>
      {placed.map(({ column, number, left, width }) => (
        <div
          key={column.id}
          role="gridcell"
          aria-colindex={ariaColumn(number)}
          className={`${styles.cell} ${column.kind === "metrics" ? styles.number : ""}`}
          style={{ left, width }}
        >
          {column.kind === "metrics" && <Mean spread={row.spreads.get(column.id)} room={digitsIn(width)} />}
        </div>
      ))}
    </div>
  );
});

function Mean({ spread, room }: { spread: Spread | undefined; room: number }) {
  if (!spread || spread.count === 0n) return <span className={styles.nothing}>–</span>;
  const full = [
    `mean ${fullNumber(spread.mean)}`,
    `standard deviation ${fullNumber(spread.deviation)}`,
    `from ${fullNumber(spread.min)} to ${fullNumber(spread.max)}`,
    `over ${counted(spread.count, "run")}`,
  ];
  const deviation = spread.count > 1n ? ` ± ${shortNumber(spread.deviation, 2, room / 2)}` : "";
  return (
    <span title={full.join("\n")}>
      {shortNumber(spread.mean, 4, room - deviation.length)}
      {deviation && <small>{deviation}</small>}
    </span>
  );
}
