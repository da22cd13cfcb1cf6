import { Link } from "@tanstack/react-router";

import { Button } from "../../parts/Button";
import { complain, say } from "../../parts/toast";
import { useRunChanges } from "../../queries/runs";
import styles from "./RunsPage.module.css";

interface Props {
  runIds: string[];
  deleted: boolean;
  onDone: () => void;
}

/** What can be done with the runs that are selected. */
export function Selection({ runIds, deleted, onDone }: Props) {
  const { remove, restore } = useRunChanges();
  const count = `${runIds.length} ${runIds.length === 1 ? "run" : "runs"}`;
  const bringBack = () =>
    restore.mutate(runIds, { onError: complain, onSuccess: () => (say(`${count} restored`), onDone()) });
  const takeAway = () =>
    remove.mutate(runIds, { onError: complain, onSuccess: () => (say(`${count} deleted`, bringBack), onDone()) });
  return (
    <div className={styles.selection} role="toolbar" aria-label="Selected runs">
      <b>{count} selected</b>
      {runIds.length > 1 && (
        <Link to="/compare" search={{ runs: runIds }}>
          Compare
        </Link>
      )}
      {deleted ? (
        <Button onClick={bringBack}>Restore</Button>
      ) : (
        <Button kind="danger" onClick={takeAway}>
          Delete
        </Button>
      )}
      <Button kind="quiet" onClick={onDone}>
        Clear
      </Button>
    </div>
  );
}
