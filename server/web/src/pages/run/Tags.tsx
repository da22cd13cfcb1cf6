import type { UseMutationResult } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";

import type { Tag } from "../../gen/stepwell_api/v1/runs_pb";
import { Button } from "../../parts/Button";
import { CloseIcon } from "../../parts/icons";
import { told } from "../../parts/toast";
import { useMay } from "../access/may";
import styles from "./RunPage.module.css";

/** Tags that the system writes are shown among the details, or nowhere. */
const OWN = /^(mlflow|stepwell)\./;

type Edit<T> = Pick<UseMutationResult<unknown, Error, T>, "mutateAsync" | "isPending" | "variables">;

interface Props {
  tags: Tag[];
  tag: Edit<{ key: string; value: string }>;
  untag: Edit<string>;
}

/** The tags of a run or a model: a click removes one, typing adds one. */
export function Tags({ tags, tag, untag }: Props) {
  const [draft, setDraft] = useState("");
  const may = useMay();
  const shown = tags.filter(({ key }) => !OWN.test(key));
  const add = (event: FormEvent) => {
    event.preventDefault();
    // What is behind the first of them is the value, whatever stands in it.
    const [, key = "", value = ""] = /^([^:=]*)[:=]?(.*)$/.exec(draft) ?? [];
    if (!key.trim()) return;
    // The next one may be half written by then.
    told(tag.mutateAsync({ key: key.trim(), value: value.trim() }), () =>
      setDraft((now) => (now === draft ? "" : now)),
    );
  };
  return (
    <section className={styles.box}>
      <header>
        <h2>Tags</h2>
      </header>
      {shown.length === 0 && !may.write && <p className={styles.nothing}>None.</p>}
      <div className={styles.tags}>
        {shown.map(({ key, value }) => (
          <span key={key} title={`${key}: ${value}`}>
            <span className={styles.tagged}>
              <b>{key}</b> {value}
            </span>
            {may.write && (
              <Button
                kind="quiet"
                icon={<CloseIcon size={12} />}
                aria-label={`Remove the tag ${key}`}
                isBusy={untag.isPending && untag.variables === key}
                onClick={() => told(untag.mutateAsync(key))}
              />
            )}
          </span>
        ))}
        {may.write && (
          <form onSubmit={add} aria-busy={tag.isPending}>
            <input
              aria-label="New tag"
              placeholder="key: value"
              value={draft}
              onChange={(event) => setDraft(event.target.value)}
            />
          </form>
        )}
      </div>
    </section>
  );
}
