import { memo } from "react";

import type { Run } from "../gen/stepwell_api/v1/runs_pb";
import { splitAt } from "../charts/names";
import { DotsIcon, PinIcon } from "../parts/icons";
import { Cell } from "./Cell";
import { ariaColumn, digitsIn, ROW_HEIGHT, type Placed, type TableActions } from "./layout";
import { Mark } from "./Mark";
import { Opener } from "./Opener";
import { runIdOf, type RunRow } from "./rows";
import styles from "./RunsTable.module.css";

/** What stays of a name that is cut: ends tell runs apart more often than middles. */
const END_CHARACTERS = 8;

interface Props {
  row: RunRow;
  placed: Placed[];
  color: string;
  isShown: boolean;
  isSelected: boolean;
  baseline: Run | undefined;
  actions: TableActions;
  top: number;
  index: number;
}

export const RunLine = memo(function RunLine(props: Props) {
  const { row, placed, isSelected, baseline, top, index } = props;
  const { run } = row;
  if (!run.info) return null;
  const looks = [styles.row, isSelected && styles.selected, !row.isHit && styles.dimmed, row.isPinned && styles.pinned];
  return (
    <div
      className={looks.filter(Boolean).join(" ")}
      style={{ height: ROW_HEIGHT, transform: `translateY(${top}px)` }}
      role="row"
      aria-rowindex={index}
      aria-level={row.depth + 1}
      aria-selected={isSelected}
    >
      <Start {...props} />
      {placed.map(({ column, number, left, width }) => (
        <div
          key={column.id}
          role="gridcell"
          aria-colindex={ariaColumn(number)}
          className={`${styles.cell} ${column.kind === "metrics" ? styles.number : ""}`}
          style={{ left, width }}
        >
          <Cell run={run} column={column} baseline={baseline} room={digitsIn(width)} />
        </div>
      ))}
    </div>
  );
});

function Start({ row, color, isShown, isSelected, baseline, actions }: Props) {
  const { run } = row;
  const id = runIdOf(run);
  const name = run.info?.name ?? "";
  const [first, end] = splitAt(name, Math.max(name.length - END_CHARACTERS, 0));
  const isBaseline = baseline !== undefined && runIdOf(baseline) === id;
  return (
    <div className={styles.start}>
      <div className={styles.marks} role="gridcell">
        <input
          type="checkbox"
          aria-label={`Select ${name}`}
          checked={isSelected}
          onChange={(event) => {
            const isRange = event.nativeEvent instanceof MouseEvent && event.nativeEvent.shiftKey;
            actions.select(id, event.target.checked, isRange);
          }}
        />
        {row.isHit && <Mark id={id} name={name} color={color} isShown={isShown} onToggle={actions.toggle} />}
      </div>
      <div className={styles.name} role="rowheader" style={{ paddingLeft: 4 + row.depth * 14 }}>
        <Opener isOpen={row.isOpen} name={name} onOpen={(open) => actions.open(id, open)} />
        {/* A router's link in each row would listen to every change of the address. */}
        <a href={`#/experiments/${run.info?.experimentId}/runs/${id}`} title={name} aria-label={name} dir="auto">
          <span>{first}</span>
          <span>{end}</span>
        </a>
      </div>
      <div className={styles.more} role="gridcell">
        {row.children > 0 && (
          <small title="Runs that were started in it">{row.children >= 1_000 ? "1,000+" : row.children}</small>
        )}
        {row.isPinned && <PinIcon size={12} />}
        {isBaseline && <abbr title="The baseline: other runs show how they differ from it">base</abbr>}
        <button
          type="button"
          className={styles.dots}
          aria-label={`Actions for ${name}`}
          aria-haspopup="menu"
          onClick={(event) => {
            const box = event.currentTarget.getBoundingClientRect();
            actions.menu(run, box.left, box.bottom);
          }}
        >
          <DotsIcon size={14} />
        </button>
      </div>
    </div>
  );
}
