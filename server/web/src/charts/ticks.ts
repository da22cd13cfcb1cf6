import { shortNumber } from "../format/numbers";
import { duration, isBeyond, moment } from "../format/times";

/** What x is; "metric:" is followed by a metric's name. */
export type Axis = "step" | "time" | "relative" | `metric:${string}`;

/** Doubles have no more digits. */
const DIGITS_MAX = 17;
const LETTER_DIGITS_MAX = 4;

const UNITS: [number, string][] = [
  [1e18, "E"],
  [1e15, "P"],
  [1e12, "T"],
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
];

/** Labels of ticks of x, whose distances are from an exact base. */
export function xLabel(axis: Axis, base: bigint, distance: number): string {
  if (axis === "relative") return duration(Math.max(Math.round(Number(base) + distance), 0));
  if (axis === "time") return timeLabel(Number(base) + distance);
  if (axis !== "step") return shortNumber(distance, 4);
  return stepLabel(base + BigInt(Math.round(distance)));
}

/** The exact x of a point, for the tooltip. */
export function xExact(axis: Axis, base: bigint, distance: number): string {
  if (axis === "relative") return `after ${duration(Number(base) + distance)}`;
  if (axis === "time") return timeExact(Number(base) + distance);
  if (axis !== "step") return `${axisName(axis)} ${shortNumber(distance, 6)}`;
  return `step ${(base + BigInt(Math.round(distance))).toLocaleString("en-US")}`;
}

/** The metric that is x; null where x is something else. */
export function metricOf(axis: Axis): string | null {
  return axis.startsWith("metric:") ? axis.slice("metric:".length) : null;
}

/** What x is, in words. */
export function axisName(axis: Axis): string {
  return axis === "relative" ? "time since start" : (metricOf(axis) ?? axis);
}

/** A step in few characters: 57.5k, 3M; whole where nothing shorter says it exactly. */
export function stepLabel(step: bigint): string {
  const size = Number(step);
  for (const [unit, letter] of UNITS) {
    if (Math.abs(size) < unit) continue;
    const short = Number((size / unit).toPrecision(6));
    return Number.isInteger(short * 100) ? `${short}${letter}` : step.toLocaleString("en-US");
  }
  return String(step);
}

/** Values in few characters: 0.25, 45k, 250M; with as many digits as tell them apart. */
export function valueLabels(values: number[]): string[] {
  let labels: string[] = [];
  for (let digits = 3; digits <= DIGITS_MAX; digits++) {
    labels = values.map((value) => valueLabel(value, digits));
    if (new Set(labels).size === labels.length) break;
  }
  return labels;
}

/** With an exponent where no letter is usual, and neither where the number itself is easier to read. */
function valueLabel(value: number, digits: number): string {
  const size = Math.abs(value);
  if (!(size >= 1e4 && size < 1e15) || digits > LETTER_DIGITS_MAX) return shortNumber(value, digits);
  const [unit, letter] = UNITS.find(([least]) => size >= least) as [number, string];
  return `${Number((value / unit).toPrecision(digits + 1))}${letter}`;
}

function timeExact(timeMs: number): string {
  return isBeyond(timeMs) ? moment(timeMs) : new Date(timeMs).toLocaleString();
}

function timeLabel(timeMs: number): string {
  if (isBeyond(timeMs)) return moment(timeMs);
  const date = new Date(timeMs);
  const clock = date.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
  const atMidnight = date.getHours() === 0 && date.getMinutes() === 0;
  return atMidnight ? date.toLocaleDateString(undefined, { month: "short", day: "numeric" }) : clock;
}
