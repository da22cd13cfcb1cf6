import { ROW_HEIGHT, type TableActions } from "./layout";
import type { MoreRow } from "./rows";
import styles from "./RunsTable.module.css";

interface Props {
  row: MoreRow;
  actions: TableActions;
  top: number;
  index: number;
}

export function MoreLine({ row, actions, top, index }: Props) {
  return (
    <div
      className={styles.row}
      role="row"
      aria-rowindex={index}
      style={{ height: ROW_HEIGHT, transform: `translateY(${top}px)` }}
    >
      <div className={styles.start}>
        <div className={styles.marks} role="gridcell" />
        <div role="gridcell" className={styles.name} style={{ paddingLeft: 4 + row.depth * 14 }}>
          <button type="button" className={styles.link} onClick={() => actions.more(row.of)}>
            Show more
          </button>
        </div>
      </div>
    </div>
  );
}
