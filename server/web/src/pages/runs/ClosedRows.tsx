import { counted } from "../../format/numbers";
import { Button } from "../../parts/Button";
import type { RunRow } from "../../table/rows";
import { runIdOf } from "../../table/rows";
import { OPEN_MAX, type RunsView } from "../../url/runsView";
import styles from "./RunsPage.module.css";

interface Props {
  closed: RunRow[];
  view: RunsView;
  change: (part: Partial<RunsView>) => void;
}

/** Says that the charts draw what is listed, and opens the rows. */
export function ClosedRows({ closed, view, change }: Props) {
  const count = closed.reduce((sum, { children }) => sum + children, 0);
  const open = view.open ?? [];
  const those = counted(count, "run");
  return (
    <p className={styles.closed}>
      {those} in {closed.length === 1 ? "a closed row" : "closed rows"} {count === 1 ? "is" : "are"} not drawn.
      {open.length < OPEN_MAX && (
        <Button
          kind="quiet"
          onClick={() => change({ open: [...open, ...closed.map(({ run }) => runIdOf(run))].slice(0, OPEN_MAX) })}
        >
          {closed.length === 1 ? "Open it" : "Open them"}
        </Button>
      )}
    </p>
  );
}
