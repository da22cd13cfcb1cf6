import { useMemo } from "react";

import { colorNumber, colorOf, COLORS } from "../../charts/colors";
import type { Run } from "../../gen/stepwell_api/v1/runs_pb";
import { useTheme } from "../../theme/theme";
import type { Keys } from "./ColumnPicker";

/** Tags of the system are no columns that anybody looks for first. */
const OWN_TAG = /^(mlflow|stepwell)\./;
const SYSTEM_METRIC = /^system\//;

/** The params, metrics and tags that runs have. */
export function keysOf(runs: Run[]): Keys {
  const params = new Set<string>();
  const metrics = new Set<string>();
  const tags = new Set<string>();
  for (const run of runs) {
    for (const param of run.params) params.add(param.key);
    for (const metric of run.metrics) metrics.add(metric.key);
    for (const tag of run.tags) tags.add(tag.key);
  }
  const order = new Intl.Collator("en", { numeric: true }).compare;
  const sorted = (keys: Set<string>, last: RegExp) =>
    [...keys].sort((a, b) => Number(last.test(a)) - Number(last.test(b)) || order(a, b));
  return { params: [...params].sort(order), metrics: sorted(metrics, SYSTEM_METRIC), tags: sorted(tags, OWN_TAG) };
}

/** The colour of each run: its own, or the next that none of its neighbours in the list has. */
export function useRunColors(runs: Run[]): Map<string, string> {
  const dark = useTheme() === "dark";
  return useMemo(() => {
    const colors = new Map<string, string>();
    const recent: number[] = [];
    for (const { info } of runs) {
      if (!info) continue;
      let number = colorNumber(info.runId);
      while (recent.includes(number)) number = (number + 1) % COLORS;
      recent.push(number);
      if (recent.length === COLORS) recent.shift();
      colors.set(info.runId, colorOf(number, dark));
    }
    return colors;
  }, [runs, dark]);
}
