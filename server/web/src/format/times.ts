import { RunStatus, type RunInfo } from "../gen/stepwell_api/v1/runs_pb";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** The last moment that a Date has room for, in milliseconds. Nanoseconds that somebody took for them are beyond. */
const BEYOND_MS = 8.64e15;

/** How long ago, in one word and unit: "just now", "5 min ago", "3 d ago"; the date after a month. */
export function ago(timeMs: number, nowMs = Date.now()): string {
  if (isBeyond(timeMs)) return number(timeMs);
  const passed = nowMs - timeMs;
  if (passed < 10_000) return "just now";
  if (passed < MINUTE_MS) return `${Math.floor(passed / 1000)} s ago`;
  if (passed < HOUR_MS) return `${Math.floor(passed / MINUTE_MS)} min ago`;
  if (passed < DAY_MS) return `${Math.floor(passed / HOUR_MS)} h ago`;
  if (passed < 30 * DAY_MS) return `${Math.floor(passed / DAY_MS)} d ago`;
  return new Date(timeMs).toLocaleDateString(undefined, { year: "numeric", month: "short", day: "numeric" });
}

/** A moment in the reader's zone. */
export function moment(timeMs: number): string {
  if (isBeyond(timeMs)) return number(timeMs);
  return new Date(timeMs).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
}

/** A moment as ISO 8601 with the reader's offset, for hovering. */
export function iso(timeMs: number): string {
  if (isBeyond(timeMs)) return number(timeMs);
  const date = new Date(timeMs);
  const offset = -date.getTimezoneOffset();
  const local = new Date(timeMs + offset * MINUTE_MS).toISOString().slice(0, 23);
  const sign = offset < 0 ? "-" : "+";
  const pad = (value: number) => String(Math.floor(Math.abs(value))).padStart(2, "0");
  return `${local}${sign}${pad(offset / 60)}:${pad(offset % 60)}`;
}

/** Whether a time is beyond the calendar, also in the reader's zone; it is shown as its number. */
export function isBeyond(timeMs: number): boolean {
  return Math.abs(timeMs) > BEYOND_MS - DAY_MS;
}

function number(timeMs: number): string {
  return `${timeMs.toLocaleString("en-US")} ms`;
}

/** How long a run took, or has been running so far; undefined of one that neither ended nor runs. */
export function lastedMs({ status, startTimeMs, endTimeMs }: RunInfo, nowMs = Date.now()): number | undefined {
  if (endTimeMs !== undefined) return Number(endTimeMs - startTimeMs);
  // The clock of the reader may be behind.
  return status === RunStatus.RUNNING ? Math.max(0, nowMs - Number(startTimeMs)) : undefined;
}

/** A length of time in its two largest units: "2 d 3 h", "4 min 5 s", "0.25 s". */
export function duration(lengthMs: number): string {
  if (lengthMs < 0) return "-";
  if (lengthMs < 10_000) return `${Number((lengthMs / 1000).toPrecision(3))} s`;
  const seconds = Math.floor(lengthMs / 1000);
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3_600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [seconds % 60, "s"],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(" ");
}
