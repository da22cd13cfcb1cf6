import { useState } from "react";

import { explain } from "../../api/failures";
import { Button } from "../../parts/Button";
import { Dialog } from "../../parts/Dialog";
import { say } from "../../parts/toast";
import styles from "./SettingsTable.module.css";

interface Props {
  what: string;
  hint: string;
  act: () => Promise<unknown>;
  onClose: () => void;
}

/** Asks before something is removed for good. */
export function Remove({ what, hint, act, onClose }: Props) {
  const [problem, setProblem] = useState("");
  const remove = () =>
    void act().then(
      () => (say(`${what} is removed`), onClose()),
      (error: unknown) => setProblem(explain(error)),
    );
  return (
    <Dialog
      open
      title={`Remove ${what}?`}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="danger" onClick={remove}>
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
