import { useLayoutEffect, useRef } from "react";

import { counted, fullNumber, shortNumber } from "../format/numbers";
import { lineId } from "./buckets";
import type { Line } from "./draw";
import { middle, nearest, type Columns } from "./series";
import { xExact, type Axis } from "./ticks";
import styles from "./Tooltip.module.css";

export interface Hover {
  /** From the chart's edge, not from that of what is plotted. */
  left: number;
  top: number;
  x: number;
  y: number;
  runId: string | null;
}

interface Props {
  hover: Hover;
  columns: Columns;
  lines: Line[];
  axis: Axis;
  width: number;
}

const ROWS_MAX = 8;
const OFFSET_PX = 14;
const EDGE_PX = 8;

/** What the lines are at the cursor, the nearest first; small, and never under the pointer. */
export function Tooltip({ hover, columns, lines, axis, width }: Props) {
  const place = useKeptInView();
  const rows = lines
    .map((line) => ({ line, bucket: nearest(line.series, hover.x) }))
    .filter(({ line, bucket }) => bucket >= 0 && covers(line, hover.x))
    .map((row) => ({ ...row, distance: distanceTo(hover.y, row.line, row.bucket) }))
    .sort((a, b) => (a.distance < b.distance ? -1 : Number(a.distance > b.distance)));
  if (rows.length === 0) return null;
  const shown = rows.slice(0, ROWS_MAX);
  const first = rows[0] as (typeof rows)[0];
  const onRight = hover.left > width / 2;
  const side = onRight ? { right: width - hover.left + OFFSET_PX } : { left: hover.left + OFFSET_PX };
  return (
    <div ref={place} className={styles.tooltip} style={{ top: 8, ...side }} role="presentation">
      <div className={styles.x}>{xExact(axis, columns.base, middle(first.line.series, first.bucket))}</div>
      {shown.map(({ line, bucket }) => (
        <div
          key={lineId(line.series)}
          className={`${styles.row} ${line.series.runId === hover.runId ? styles.at : ""}`}
        >
          <i style={{ background: line.color }} />
          <span className={styles.name}>{line.name}</span>
          <b title={fullNumber(line.bold[bucket] as number)}>{shortNumber(line.bold[bucket] as number)}</b>
          <small>{spread(line, bucket)}</small>
        </div>
      ))}
      {rows.length > shown.length && <div className={styles.more}>and {rows.length - shown.length} more</div>}
    </div>
  );
}

/** Puts an element on the other side of the pointer where what is around the charts would cut it. */
function useKeptInView() {
  const place = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const element = place.current;
    if (!element) return;
    element.style.translate = "";
    const { left, right, width } = element.getBoundingClientRect();
    const view = cuttingAround(element).getBoundingClientRect();
    const [least, most] = [view.left + EDGE_PX, view.right - EDGE_PX - width];
    const flipped = right > most + width ? left - width - 2 * OFFSET_PX : left < least ? right + 2 * OFFSET_PX : left;
    const by = Math.max(Math.min(flipped, most), least) - left;
    if (by) element.style.translate = `${by}px`;
  });
  return place;
}

/** The nearest element around that shows nothing outside of itself. */
function cuttingAround(element: Element): Element {
  const around = element.parentElement;
  if (!around) return document.documentElement;
  return getComputedStyle(around).overflowX === "visible" ? cuttingAround(around) : around;
}

function covers({ series }: Line, x: number): boolean {
  const reach = ((series.to.at(-1) ?? 0) - (series.from[0] ?? 0)) / Math.max(series.from.length - 1, 1);
  return x >= (series.from[0] ?? 0) - reach && x <= (series.to.at(-1) ?? 0) + reach;
}

/** How far a line is from the pointer; what is no number is farther than all that is. */
function distanceTo(y: number, line: Line, bucket: number): number {
  const distance = Math.abs((line.bold[bucket] as number) - y);
  return Number.isNaN(distance) ? Number.POSITIVE_INFINITY : distance;
}

/** The extremes of a bucket of several points, how many runs a group has there, and how many points are not finite. */
function spread({ series }: Line, bucket: number): string {
  const odd = series.odd[bucket] as number;
  const runs = series.runs?.[bucket];
  const oddText = [runs && counted(runs, "run"), odd && `${odd} not finite`].filter(Boolean).join(", ");
  const low = series.low[bucket] as number;
  const high = series.high[bucket] as number;
  if (!(low < high)) return oddText;
  return `${shortNumber(low, 3)} … ${shortNumber(high, 3)}${oddText && `, ${oddText}`}`;
}
