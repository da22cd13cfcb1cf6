import { statusWord } from "../format/status";
import { RunStatus } from "../gen/stepwell_api/v1/runs_pb";
import styles from "./Status.module.css";

const LOOKS: Partial<Record<RunStatus, string>> = {
  [RunStatus.RUNNING]: styles.running,
  [RunStatus.FINISHED]: styles.finished,
  [RunStatus.FAILED]: styles.failed,
  [RunStatus.KILLED]: styles.killed,
};

/** The status of a run as a word with a mark; of a run that nobody ended, that it is lost, and why. */
export function Status({ status, lost }: { status: RunStatus; lost?: string }) {
  const word = statusWord(status);
  return (
    <span className={`${styles.status} ${LOOKS[status] ?? ""}`} title={lost}>
      <i aria-hidden="true" />
      {lost ? "Lost" : word.charAt(0) + word.slice(1).toLowerCase()}
    </span>
  );
}
