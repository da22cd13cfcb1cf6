import type { Run } from "../gen/stepwell_api/v1/runs_pb";

export type RowKind = "params" | "metrics" | "tags" | "datasets";

/** One key of things side by side; undefined where one has none. */
export interface Beside<T> {
  key: string;
  values: (T | undefined)[];
  differs: boolean;
}

/** A param, metric, tag or data set of the compared runs. */
export interface Row extends Beside<string | number> {
  kind: RowKind;
}

const OWN_TAG = /^(mlflow|stepwell)\./;
const CONTEXT_TAG = "mlflow.data.context";

/** All params, metrics, tags and data sets of runs, side by side, in natural order. */
export function compared(runs: Run[]): Row[] {
  const of = (kind: RowKind, values: (run: Run) => [string, string | number][]) =>
    rows(
      kind,
      runs.map((run) => new Map(values(run))),
    );
  return [
    ...of("params", (run) => run.params.map(({ key, value }) => [key, value])),
    ...of("metrics", (run) => run.metrics.map(({ key, value }) => [key, value])),
    ...of("tags", (run) => run.tags.filter(({ key }) => !OWN_TAG.test(key)).map(({ key, value }) => [key, value])),
    ...of("datasets", datasets),
  ];
}

/** Data sets by name and what they were for; what is compared is their content, by its digest. */
function datasets(run: Run): [string, string][] {
  const found = new Map<string, string[]>();
  for (const { dataset, tags } of run.inputs) {
    const context = tags.find((tag) => tag.key === CONTEXT_TAG)?.value;
    const key = `${dataset?.name ?? ""}${context ? ` (${context})` : ""}`;
    found.set(key, [...(found.get(key) ?? []), dataset?.digest ?? ""].sort());
  }
  return [...found].map(([key, digests]) => [key, digests.join(", ")]);
}

function rows(kind: RowKind, of: Map<string, string | number>[]): Row[] {
  return sideBySide(of).map((row) => ({ kind, ...row }));
}

/** What several things have under the same keys, in natural order. */
export function sideBySide<T extends string | number>(of: Map<string, T>[]): Beside<T>[] {
  const order = new Intl.Collator("en", { numeric: true }).compare;
  const keys = [...new Set(of.flatMap((values) => [...values.keys()]))].sort(order);
  return keys.map((key) => {
    const values = of.map((one) => one.get(key));
    return { key, values, differs: values.some((value) => !Object.is(value, values[0])) };
  });
}
