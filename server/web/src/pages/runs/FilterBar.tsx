import { useEffect, useState } from "react";

import { explain } from "../../api/failures";
import styles from "./FilterBar.module.css";

interface Props {
  filter: string;
  onFilter: (filter: string) => void;
  /** What the server said of the filter that is in force. */
  error: unknown;
}

/** The search of runs, in the grammar of searches; Enter searches, and a mistake is shown where it is. */
export function FilterBar({ filter, onFilter, error }: Props) {
  const [draft, setDraft] = useState(filter);
  useEffect(() => setDraft(filter), [filter]);
  return (
    <form
      className={styles.bar}
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        onFilter(draft.trim());
      }}
    >
      <input
        type="search"
        data-search
        aria-label="Filter runs"
        aria-invalid={error != null}
        spellCheck={false}
        placeholder="metrics.loss < 0.1 AND params.optimizer = 'adamw'"
        value={draft}
        onChange={(event) => {
          setDraft(event.target.value);
          if (!event.target.value) onFilter("");
        }}
      />
      {error != null && (
        <pre className={styles.problem} role="alert">
          {explain(error)}
        </pre>
      )}
    </form>
  );
}
