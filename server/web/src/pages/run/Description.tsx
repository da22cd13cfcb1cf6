import { useState } from "react";

import { AskText } from "../../parts/AskText";
import { Button } from "../../parts/Button";
import { PencilIcon } from "../../parts/icons";
import { Markdown } from "../../parts/Markdown";
import { useMay } from "../access/may";
import styles from "./RunPage.module.css";

/** A description in Markdown, to be read and edited. */
export function Description({ note, save }: { note: string; save: (text: string) => Promise<unknown> }) {
  const [editing, setEditing] = useState(false);
  const may = useMay();
  return (
    <section className={styles.box}>
      <header>
        <h2>Description</h2>
        {may.write && (
          <Button
            kind="quiet"
            icon={<PencilIcon />}
            aria-label="Edit the description"
            onClick={() => setEditing(true)}
          />
        )}
      </header>
      {note ? <Markdown text={note} /> : <p className={styles.nothing}>None yet.</p>}
      {editing && (
        <AskText
          title="Description"
          label="Markdown"
          verb="Save"
          value={note}
          long
          mayBeEmpty
          answer={save}
          onClose={() => setEditing(false)}
        />
      )}
    </section>
  );
}
