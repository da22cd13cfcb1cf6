import type { Run } from "../gen/stepwell_api/v1/runs_pb";

/** A param, metric or tag of the compared runs; undefined where a run has none. */
export interface Row {
  kind: "params" | "metrics" | "tags";
  key: string;
  values: (string | number | undefined)[];
  differs: boolean;
}

const OWN_TAG = /^(mlflow|stepwell)\./;

/** All params, metrics and tags of runs, side by side, in natural order. */
export function compared(runs: Run[]): Row[] {
  return [
    ...rows(
      "params",
      runs.map((run) => new Map(run.params.map(({ key, value }) => [key, value]))),
    ),
    ...rows(
      "metrics",
      runs.map((run) => new Map(run.metrics.map(({ key, value }) => [key, value]))),
    ),
    ...rows(
      "tags",
      runs.map(
        (run) => new Map(run.tags.filter(({ key }) => !OWN_TAG.test(key)).map(({ key, value }) => [key, value])),
      ),
    ),
  ];
}

function rows(kind: Row["kind"], of: Map<string, string | number>[]): Row[] {
  const order = new Intl.Collator("en", { numeric: true }).compare;
  const keys = [...new Set(of.flatMap((values) => [...values.keys()]))].sort(order);
  return keys.map((key) => {
    const values = of.map((one) => one.get(key));
    return { kind, key, values, differs: values.some((value) => !Object.is(value, values[0])) };
  });
}
