import type { Run } from "../gen/stepwell_api/v1/runs_pb";

/** Where log_table notes which tables a run has, as MLflow does: [{"path": "eval.json", "type": "table"}]. */
const LOGGED_ARTIFACTS_TAG = "mlflow.loggedArtifacts";

/** The paths of the tables that some of the runs have logged, in natural order. */
export function tablesOf(runs: Run[]): string[] {
  const order = new Intl.Collator("en", { numeric: true }).compare;
  return [...new Set(runs.flatMap(pathsOf))].sort(order);
}

/** The paths of a run's tables. */
export function pathsOf(run: Run): string[] {
  let noted: unknown;
  try {
    noted = JSON.parse(run.tags.find(({ key }) => key === LOGGED_ARTIFACTS_TAG)?.value ?? "[]");
  } catch {
    return []; // anybody may write there
  }
  if (!Array.isArray(noted)) return [];
  return noted.flatMap((one: unknown) => {
    const { type, path } = (one ?? {}) as Record<string, unknown>;
    return type === "table" && typeof path === "string" ? [path] : [];
  });
}
