import { useInfiniteQuery } from "@tanstack/react-query";

import { changeText } from "../../models/changes";
import { Answer } from "../../parts/Answer";
import { Time } from "../../parts/Time";
import { changesQuery } from "../../queries/registry";
import run from "../run/RunPage.module.css";
import styles from "./Models.module.css";

/** Who changed what, when and why, the latest first. */
export function History({ name, version }: { name: string; version?: number }) {
  const found = useInfiniteQuery(changesQuery(name, version));
  return (
    <section className={run.box} aria-label="History">
      <header>
        <h2>History</h2>
      </header>
      <Answer found={found} what="the history">
        {(changes) => (
          <ol className={styles.history}>
            {changes.map((change) => (
              <li key={String(change.number)}>
                {changeText(change)}
                {change.comment && (
                  <>
                    : <q>{change.comment}</q>
                  </>
                )}
                <small>
                  <Time ms={change.timeMs} /> {change.user && `by ${change.user}`}
                </small>
              </li>
            ))}
          </ol>
        )}
      </Answer>
    </section>
  );
}
