import type { ReactNode } from "react";

import { explain } from "../api/failures";
import styles from "./Notice.module.css";

/** What a place shows when there is nothing to show in it, and what to do about it. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className={styles.notice}>
      <h2>{title}</h2>
      {children}
    </div>
  );
}

/** An error, in the words of the server, where its answer would be. */
export function Failure({ error, retry }: { error: unknown; retry?: () => void }) {
  return (
    <div className={`${styles.notice} ${styles.failure}`} role="alert">
      <p className={styles.text}>
        <Explained error={error} />
      </p>
      {retry && <Retry retry={retry} />}
    </div>
  );
}

export function Retry({ retry }: { retry: () => void }) {
  return (
    <button type="button" className={styles.retry} onClick={retry}>
      Try again
    </button>
  );
}

/** What to tell a person of an error; what points at a place in a text stands in letters of one width. */
export function Explained({ error }: { error: unknown }) {
  const [said, ...quoted] = explain(error).split("\n");
  return (
    <>
      {said}
      {quoted.length > 0 && <code>{["", ...quoted].join("\n")}</code>}
    </>
  );
}

/** What was shown before, paler while what was asked for since is on its way. */
export function Awaited({ isAwaited, children }: { isAwaited: boolean; children: ReactNode }) {
  return (
    <div className={`${styles.whole} ${isAwaited ? styles.awaited : ""}`} aria-busy={isAwaited}>
      {children}
    </div>
  );
}

/** Says that something is on its way; `isLate` for what comes at once as a rule, and is not announced then. */
export function Loading({ what, isLate = false }: { what: string; isLate?: boolean }) {
  return (
    <div className={`${styles.loading} ${isLate ? styles.late : ""}`} role="status">
      Loading {what} …
    </div>
  );
}
