import { useState, type FormEvent } from "react";

import type { Run } from "../../gen/stepwell_api/v1/runs_pb";
import { Button } from "../../parts/Button";
import { CloseIcon } from "../../parts/icons";
import { complain } from "../../parts/toast";
import { useRunEdits } from "../../queries/run";
import styles from "./RunPage.module.css";

/** Tags that the system writes are shown among the details, or nowhere. */
const OWN = /^(mlflow|stepwell)\./;

export function Tags({ run }: { run: Run }) {
  const { tag, untag } = useRunEdits(run);
  const [draft, setDraft] = useState("");
  const shown = run.tags.filter(({ key }) => !OWN.test(key));
  const add = (event: FormEvent) => {
    event.preventDefault();
    const [key, ...rest] = draft.split(/[:=]/);
    if (!key?.trim()) return;
    tag.mutate({ key: key.trim(), value: rest.join(":").trim() }, { onError: complain, onSuccess: () => setDraft("") });
  };
  return (
    <section className={styles.box}>
      <header>
        <h2>Tags</h2>
      </header>
      <div className={styles.tags}>
        {shown.map(({ key, value }) => (
          <span key={key} title={`${key}: ${value}`}>
            <b>{key}</b> {value}
            <Button
              kind="quiet"
              icon={<CloseIcon size={12} />}
              aria-label={`Remove the tag ${key}`}
              onClick={() => untag.mutate(key, { onError: complain })}
            />
          </span>
        ))}
        <form onSubmit={add}>
          <input
            aria-label="New tag"
            placeholder="key: value"
            value={draft}
            onChange={(event) => setDraft(event.target.value)}
          />
        </form>
      </div>
    </section>
  );
}
