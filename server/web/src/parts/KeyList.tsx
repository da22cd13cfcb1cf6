import { useMemo, useState } from "react";

import { Field } from "./Field";
import styles from "./KeyList.module.css";

const SHOWN_MAX = 200;

interface Props {
  label: string;
  keys: string[];
  chosen: ReadonlySet<string>;
  onToggle: (key: string) => void;
  /** One alone is chosen. */
  single?: boolean;
}

/** Chooses among names, thousands perhaps, by searching. */
export function KeyList({ label, keys, chosen, onToggle, single }: Props) {
  const [text, setText] = useState("");
  const found = useMemo(() => {
    const wanted = text.toLowerCase();
    return keys.filter((key) => key.toLowerCase().includes(wanted));
  }, [keys, text]);
  return (
    <div className={styles.keys} role="group" aria-label={label}>
      <Field
        label={`Search: ${label}`}
        hideLabel
        type="search"
        placeholder="Search"
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      <div className={styles.list}>
        {found.slice(0, SHOWN_MAX).map((key) => (
          <label key={key} title={key}>
            <input type={single ? "radio" : "checkbox"} checked={chosen.has(key)} onChange={() => onToggle(key)} />
            <span>{key}</span>
          </label>
        ))}
        {found.length > SHOWN_MAX && <p>{found.length - SHOWN_MAX} more: search for them.</p>}
        {found.length === 0 && <p>Nothing is called so.</p>}
      </div>
    </div>
  );
}
