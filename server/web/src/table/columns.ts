import type { LatestMetric, Run } from "../gen/stepwell_api/v1/runs_pb";
import { statusWord } from "../format/status";
import { lastedMs } from "../format/times";

export type KeyKind = "params" | "metrics" | "tags";
/** What of all points of a metric is shown; nothing stands for the latest. */
export type MetricFunction = "min" | "max" | "mean";
export const METRIC_FUNCTIONS: readonly MetricFunction[] = ["min", "mean", "max"];

/** What a column of runs shows: a field of the run, or one of its params, metrics or tags. */
export interface Column {
  /** The name in the grammar of searches: metrics.loss, min(metrics.loss), params.`my lr`, start_time. */
  id: string;
  kind: "attribute" | KeyKind;
  key: string;
  of?: MetricFunction;
}

const ATTRIBUTES = ["status", "start_time", "duration", "user_id", "end_time", "experiment_id", "run_id"] as const;
export const ATTRIBUTE_LABELS: Record<string, string> = {
  run_name: "Run",
  status: "Status",
  start_time: "Started",
  end_time: "Ended",
  duration: "Duration",
  user_id: "User",
  experiment_id: "Experiment",
  run_id: "Id",
};

/** The fields of runs that may be columns. */
export const attributeColumns: Column[] = ATTRIBUTES.map((key) => ({ id: key, kind: "attribute", key }));

/** The name of a param, metric or tag in the grammar of searches; odd keys stand in backticks, or double quotes. */
export function keyId(kind: KeyKind, key: string, of?: MetricFunction): string {
  const quoted = /^[\w./:-]+$/.test(key) ? key : key.includes("`") ? `"${key}"` : `\`${key}\``;
  return of ? `${of}(${kind}.${quoted})` : `${kind}.${quoted}`;
}

/** Read a column from its id; null for what is none. */
export function column(id: string): Column | null {
  if (Object.hasOwn(ATTRIBUTE_LABELS, id)) return { id, kind: "attribute", key: id };
  const called = /^(min|max|mean)\((metrics\..+)\)$/s.exec(id);
  const found = /^(params|metrics|tags)\.(?:`([^`]+)`|"([^"]+)"|(.+))$/s.exec(called?.[2] ?? id);
  const key = found?.[2] ?? found?.[3] ?? found?.[4];
  if (!found || !key) return null;
  const of = called?.[1] as MetricFunction | undefined;
  return { id, kind: found[1] as KeyKind, key, ...(of ? { of } : {}) };
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
      return measured(
        run.metrics.find((metric) => metric.key === column.key),
        column.of,
      );
    case "attribute":
      return attribute(run, column.key);
  }
}

/** Whether the server sorts by a column. */
export function sortable(column: Column): boolean {
  return column.kind !== "attribute" || column.key !== "duration";
}

function measured(metric: LatestMetric | undefined, of?: MetricFunction): number | undefined {
  return of ? metric?.summary?.[of] : metric?.value;
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
      return lastedMs(info);
    case "user_id":
      return info.user;
    case "experiment_id":
      return String(info.experimentId);
    case "run_id":
      return info.runId;
    default:
      return undefined;
  }
}
