import { counted, fullNumber, shortNumber } from "../format/numbers";
import styles from "./Bars.module.css";
import { lineId } from "./buckets";
import type { Line } from "./draw";
import { cut, fitted } from "./names";
import type { Series } from "./series";

const ROW_PX = 24;
/** What tells that there are more bars than fit. */
const NOTE_PX = 20;
const BAR_PX = 12;
const GAP_PX = 8;
/** What values have room for at least; longer ones make the bars shorter. */
const VALUE_PX = 64;
const DIGIT_PX = 7;
const NAME_PART = 0.34;
const CHARACTER_PX = 7.6;

interface Props {
  lines: Line[];
  width: number;
  height: number;
}

/** The latest value of each line as a bar, the greatest first; what is no finite number has a place and no bar. */
export function Bars({ lines, width, height }: Props) {
  const rows = lines
    .map((line) => ({ line, value: latest(line) }))
    .sort((a, b) => rank(b.value) - rank(a.value) || a.line.name.localeCompare(b.line.name, "en", { numeric: true }));
  if (rows.length === 1 && rows[0]) return <Figure {...rows[0]} width={width} height={height} />;
  const finite = rows.map(({ value }) => value).filter(Number.isFinite);
  const [low, high] = [Math.min(0, ...finite), Math.max(0, ...finite)];
  const values = rows.map(({ value }) => shortNumber(value));
  const valueWidth = Math.max(VALUE_PX, DIGIT_PX * Math.max(...values.map(({ length }) => length)));
  const nameWidth = Math.round(width * NAME_PART);
  const names = fitted(
    rows.map(({ line }) => line.name),
    Math.floor(nameWidth / CHARACTER_PX),
  );
  const [left, right] = [nameWidth + GAP_PX, width - valueWidth - GAP_PX];
  const toX = (value: number) => left + (high > low ? (value - low) / (high - low) : 0) * (right - left);
  const tall = Math.max(rows.length * ROW_PX, 1);
  const isCut = tall > height;
  const fitting = isCut ? Math.floor((height - NOTE_PX) / ROW_PX) : rows.length;
  return (
    <>
      <div className={styles.scroll} style={{ height: isCut ? fitting * ROW_PX : height }} tabIndex={isCut ? 0 : -1}>
        <svg
          role="img"
          aria-label={`${counted(rows.length, "bar")}: ${rows.map(({ line, value }) => `${line.name} ${shortNumber(value)}`).join(", ")}`}
          viewBox={`0 0 ${width} ${tall}`}
          width={width}
          height={tall}
          className={styles.bars}
        >
          {rows.map(({ line, value }, place) => {
            const middle = place * ROW_PX + ROW_PX / 2;
            const isFinite = Number.isFinite(value);
            return (
              <g key={lineId(line.series)}>
                <title>{`${line.name}: ${fullNumber(value)}`}</title>
                <rect className={styles.ground} x={0} width={width} y={place * ROW_PX} height={ROW_PX} />
                <text x={nameWidth} y={middle + 4} textAnchor="end" className={styles.name}>
                  {names[place]}
                </text>
                {isFinite && (
                  <rect
                    x={Math.min(toX(0), toX(value))}
                    width={Math.max(Math.abs(toX(value) - toX(0)), 1.5)}
                    y={middle - BAR_PX / 2}
                    height={BAR_PX}
                    rx={2}
                    fill={line.color}
                  />
                )}
                <text
                  x={isFinite ? Math.max(toX(value), toX(0)) + 6 : left}
                  y={middle + 4}
                  className={isFinite ? styles.value : styles.odd}
                >
                  {values[place]}
                </text>
              </g>
            );
          })}
          <line className={styles.zero} x1={toX(0)} x2={toX(0)} y1={0} y2={tall} />
        </svg>
      </div>
      {isCut && (
        <p className={styles.note} style={{ height: height - fitting * ROW_PX }}>
          {fitting} of {rows.length} bars in view
        </p>
      )}
    </>
  );
}

/** A single value: there is nothing to compare it with. */
function Figure({ line, value, width, height }: { line: Line; value: number; width: number; height: number }) {
  return (
    <svg
      role="img"
      aria-label={`${line.name} ${shortNumber(value)}`}
      viewBox={`0 0 ${width} ${height}`}
      width={width}
      height={height}
      className={styles.bars}
    >
      <title>{`${line.name}: ${fullNumber(value)}`}</title>
      <text x={width / 2} y={height / 2} textAnchor="middle" className={styles.figure}>
        {shortNumber(value)}
      </text>
      <text x={width / 2} y={height / 2 + 24} textAnchor="middle" className={styles.name}>
        {cut(line.name, Math.floor(width / CHARACTER_PX))}
      </text>
    </svg>
  );
}

/** Whether a chart has nothing to draw lines through: one point a series, or one of each run of a group. */
export function isOnePointEach(series: Pick<Series, "count" | "runs">[]): boolean {
  return series.length > 0 && series.every(({ count, runs }) => count.length === 1 && count[0] === (runs?.[0] ?? 1));
}

/** The mean of the last bucket; where points are no finite numbers alone, NaN. */
function latest({ series }: Line): number {
  return series.mean.at(-1) ?? Number.NaN;
}

function rank(value: number): number {
  return Number.isNaN(value) ? Number.NEGATIVE_INFINITY : value;
}
