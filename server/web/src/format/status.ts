import { RunStatus } from "../gen/stepwell_api/v1/runs_pb";

/** The word for a status of a run, as everywhere else: RUNNING, FINISHED, ... */
export function statusWord(status: RunStatus): string {
  return RunStatus[status]?.replace("RUN_STATUS_", "") ?? "UNKNOWN";
}
