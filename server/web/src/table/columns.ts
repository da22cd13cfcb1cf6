import type { Run } from "../gen/stepwell_api/v1/runs_pb";
import { statusWord } from "../format/status";

/** What a column of runs shows: a field of the run, or one of its params, metrics or tags. */
export interface Column {
  /** The name in the grammar of searches: metrics.loss, params.`my lr`, start_time. */
  id: string;
  kind: "attribute" | "params" | "metrics" | "tags";
  key: string;
}

const ATTRIBUTES = ["status", "start_time", "duration", "user_id", "end_time", "run_id"] as const;
export const ATTRIBUTE_LABELS: Record<string, string> = {
  run_name: "Run",
  status: "Status",
  start_time: "Started",
  end_time: "Ended",
  duration: "Duration",
  user_id: "User",
  run_id: "Id",
};

/** The fields of runs that may be columns. */
export const attributeColumns: Column[] = ATTRIBUTES.map((key) => ({ id: key, kind: "attribute", key }));

/** The name of a param, metric or tag in the grammar of searches; odd keys stand in backticks, or double quotes. */
export function keyId(kind: "params" | "metrics" | "tags", key: string): string {
  if (/^[\w./:-]+$/.test(key)) return `${kind}.${key}`;
  return key.includes("`") ? `${kind}."${key}"` : `${kind}.\`${key}\``;
}

/** Read a column from its id; null for what is none. */
export function column(id: string): Column | null {
  if (id in ATTRIBUTE_LABELS) return { id, kind: "attribute", key: id };
  const found = /^(params|metrics|tags)\.(?:`([^`]+)`|"([^"]+)"|(.+))$/.exec(id);
  if (!found) return null;
  const key = found[2] ?? found[3] ?? found[4];
  return key ? { id, kind: found[1] as Column["kind"], key } : null;
}

export function label(column: Column): string {
  return column.kind === "attribute" ? (ATTRIBUTE_LABELS[column.key] ?? column.key) : column.key;
}

/** What a run has in a column; undefined where it has nothing. */
export function cell(run: Run, column: Column): string | number | undefined {
  switch (column.kind) {
    case "params":
      return run.params.find((param) => param.key === column.key)?.value;
    case "tags":
      return run.tags.find((tag) => tag.key === column.key)?.value;
    case "metrics":
      return run.metrics.find((metric) => metric.key === column.key)?.value;
    case "attribute":
      return attribute(run, column.key);
  }
}

/** What the server sorts by for a column; undefined where it cannot. */
export function sortable(column: Column): boolean {
  return column.kind !== "attribute" || column.key !== "duration";
}

function attribute({ info }: Run, key: string): string | number | undefined {
  if (!info) return undefined;
  switch (key) {
    case "run_name":
      return info.name;
    case "status":
      return statusWord(info.status);
    case "start_time":
      return Number(info.startTimeMs);
    case "end_time":
      return info.endTimeMs === undefined ? undefined : Number(info.endTimeMs);
    case "duration":
      return Number((info.endTimeMs ?? BigInt(Date.now())) - info.startTimeMs);
    case "user_id":
      return info.user;
    case "run_id":
      return info.runId;
    default:
      return undefined;
  }
}
