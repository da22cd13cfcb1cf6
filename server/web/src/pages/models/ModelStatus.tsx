import { LoggedModelStatus } from "../../gen/stepwell_api/v1/models_pb";
import styles from "../../parts/Status.module.css";

const WORDS: Partial<Record<LoggedModelStatus, [string, string | undefined]>> = {
  [LoggedModelStatus.PENDING]: ["Pending", styles.running],
  [LoggedModelStatus.READY]: ["Ready", styles.finished],
  [LoggedModelStatus.FAILED]: ["Failed", styles.failed],
};

/** Whether a model's files are there, as a word with a mark; of one that failed, why. */
export function ModelStatus({ status, why }: { status: LoggedModelStatus; why?: string }) {
  const [word, look] = WORDS[status] ?? ["Unknown", ""];
  return (
    <span className={`${styles.status} ${look ?? ""}`} title={why || undefined}>
      <i aria-hidden="true" />
      {word}
    </span>
  );
}
