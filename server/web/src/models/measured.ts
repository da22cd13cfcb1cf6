import type { LoggedModel } from "../gen/stepwell_api/v1/models_pb";

/** More columns than these nobody reads; the rest is on a model's page. */
const KEYS_MAX = 12;

/** The metrics that models have, those that most of them have first. */
export function metricKeys(models: LoggedModel[]): string[] {
  const counts = new Map<string, number>();
  for (const model of models) {
    for (const key of new Set(model.metrics.map((one) => one.key))) counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts]
    .sort(([a, many], [b, more]) => more - many || a.localeCompare(b))
    .slice(0, KEYS_MAX)
    .map(([key]) => key);
}

/** The latest value of a metric, whichever run measured it on whichever data set. */
export function latestOf(model: LoggedModel, key: string): number | undefined {
  const points = model.metrics.filter((one) => one.key === key);
  return points.reduce<(typeof points)[number] | undefined>(
    (latest, one) => (latest && latest.timestampMs >= one.timestampMs ? latest : one),
    undefined,
  )?.value;
}
