import { Button } from "../../parts/Button";
import { Dialog } from "../../parts/Dialog";
import { say } from "../../parts/toast";
import { useSending } from "../../parts/useSending";
import styles from "./SettingsTable.module.css";

interface Props {
  what: string;
  hint: string;
  act: () => Promise<unknown>;
  onClose: () => void;
}

/** Asks before something is removed for good. */
export function Remove({ what, hint, act, onClose }: Props) {
  const { isBusy, problem, send } = useSending();
  const remove = () =>
    send(
      act().then(() => say(`${what} is removed`)),
      onClose,
    );
  return (
    <Dialog
      open
      title={`Remove ${what}?`}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="danger" isBusy={isBusy} onClick={remove}>
            Remove
          </Button>
        </>
      }
    >
      <p className={styles.note}>{hint}</p>
      {problem && (
        <p role="alert" className={styles.problem}>
          {problem}
        </p>
      )}
    </Dialog>
  );
}
