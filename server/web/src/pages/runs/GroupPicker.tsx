import { Popover } from "radix-ui";
import { useMemo, useState } from "react";

import { Button } from "../../parts/Button";
import { Field } from "../../parts/Field";
import type { Keys } from "../../queries/keys";
import { keyId } from "../../table/columns";
import { GROUP_FIELDS_MAX } from "../../url/runsView";
import styles from "./ColumnPicker.module.css";

const SHOWN_MAX = 200;
const ALWAYS: [id: string, label: string, kind: string][] = [
  ["status", "Status", "run"],
  ["user_id", "User", "run"],
  ["datasets.name", "Data set", "data set"],
];

interface Props {
  keys: Keys;
  by: string[];
  onBy: (by: string[] | undefined) => void;
}

/** Chooses what runs of a group have in common: params, tags, data sets. */
export function GroupPicker({ keys, by, onBy }: Props) {
  const [text, setText] = useState("");
  const found = useMemo(() => {
    const all: typeof ALWAYS = [
      ...ALWAYS,
      ...keys.params.map((key): [string, string, string] => [keyId("params", key), key, "param"]),
      ...keys.tags.map((key): [string, string, string] => [keyId("tags", key), key, "tag"]),
    ];
    return all.filter(([id]) => id.toLowerCase().includes(text.toLowerCase()));
  }, [keys, text]);
  const toggle = (id: string) => {
    const next = by.includes(id) ? by.filter((one) => one !== id) : [...by, id].slice(-GROUP_FIELDS_MAX);
    onBy(next.length ? next : undefined);
  };
  return (
    <Popover.Root>
      <Popover.Trigger asChild>
        <Button aria-pressed={by.length > 0}>{by.length ? `Groups: ${by.length}` : "Group"}</Button>
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content className={styles.window} align="end" sideOffset={4} collisionPadding={8}>
          <Field
            label="Group by"
            hideLabel
            type="search"
            placeholder="Group by a param, a tag, a data set"
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
          <div className={styles.list}>
            {found.slice(0, SHOWN_MAX).map(([id, label, kind]) => (
              <div key={id} className={styles.row}>
                <label>
                  <input type="checkbox" checked={by.includes(id)} onChange={() => toggle(id)} />
                  <span title={id}>{label}</span>
                </label>
                <small>{kind}</small>
              </div>
            ))}
            {found.length > SHOWN_MAX && <p>{found.length - SHOWN_MAX} more: search for them.</p>}
            {found.length === 0 && <p>Nothing is called so.</p>}
          </div>
          {by.length > 0 && (
            <div className={styles.tools}>
              <Button onClick={() => onBy(undefined)}>No groups</Button>
            </div>
          )}
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}
