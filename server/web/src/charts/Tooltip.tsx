import { fullNumber, shortNumber } from "../format/numbers";
import type { RunLook } from "./Chart";
import type { Line } from "./draw";
import { middle, nearest, type Columns } from "./series";
import { xExact, type Axis } from "./ticks";
import styles from "./Tooltip.module.css";

export interface Hover {
  left: number;
  top: number;
  x: number;
  /** The pointer is in this chart, and not in one that leads its cursor. */
  isOwn: boolean;
  runId: string | null;
}

interface Props {
  hover: Hover;
  columns: Columns;
  lines: Line[];
  runs: Map<string, RunLook>;
  axis: Axis;
  width: number;
}

const ROWS_MAX = 8;
const OFFSET_PX = 14;
const AXIS_PX = 46;

/** What the lines are at the cursor, the pointed-at run first; small, and never under the pointer. */
export function Tooltip({ hover, columns, lines, runs, axis, width }: Props) {
  const rows = lines
    .map((line) => ({ line, bucket: nearest(line.series, hover.x) }))
    .filter(({ line, bucket }) => bucket >= 0 && covers(line, hover.x))
    .sort((a, b) => order(a.line, hover) - order(b.line, hover) || value(b) - value(a));
  if (rows.length === 0) return null;
  const shown = rows.slice(0, ROWS_MAX);
  const first = rows[0] as (typeof rows)[0];
  const onRight = hover.left + AXIS_PX > width / 2;
  const side = onRight
    ? { right: width - hover.left - AXIS_PX + OFFSET_PX }
    : { left: hover.left + AXIS_PX + OFFSET_PX };
  return (
    <div className={styles.tooltip} style={{ top: 8, ...side }} role="presentation">
      <div className={styles.x}>{xExact(axis, columns.base, middle(first.line.series, first.bucket))}</div>
      {shown.map(({ line, bucket }) => (
        <div key={line.series.runId} className={`${styles.row} ${line.series.runId === hover.runId ? styles.at : ""}`}>
          <i style={{ background: line.color }} />
          <span className={styles.name}>{runs.get(line.series.runId)?.name}</span>
          <b title={fullNumber(line.bold[bucket] as number)}>{shortNumber(line.bold[bucket] as number)}</b>
          <small>{spread(line, bucket)}</small>
        </div>
      ))}
      {rows.length > shown.length && <div className={styles.more}>and {rows.length - shown.length} more</div>}
    </div>
  );
}

function covers({ series }: Line, x: number): boolean {
  const reach = ((series.to.at(-1) ?? 0) - (series.from[0] ?? 0)) / Math.max(series.from.length - 1, 1);
  return x >= (series.from[0] ?? 0) - reach && x <= (series.to.at(-1) ?? 0) + reach;
}

function order(line: Line, hover: Hover): number {
  return line.series.runId === hover.runId ? 0 : 1;
}

function value({ line, bucket }: { line: Line; bucket: number }): number {
  const at = line.bold[bucket] as number;
  return Number.isNaN(at) ? Number.NEGATIVE_INFINITY : at;
}

/** The extremes of a bucket of several points, and how many of them are no finite numbers. */
function spread({ series }: Line, bucket: number): string {
  const odd = series.odd[bucket] as number;
  const oddText = odd ? `${odd} not finite` : "";
  const low = series.low[bucket] as number;
  const high = series.high[bucket] as number;
  if (!(low < high)) return oddText;
  return `${shortNumber(low, 3)} … ${shortNumber(high, 3)}${oddText && `, ${oddText}`}`;
}
