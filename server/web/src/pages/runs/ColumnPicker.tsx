import { Popover } from "radix-ui";
import { useMemo, useState } from "react";

import { Button } from "../../parts/Button";
import { Field } from "../../parts/Field";
import { attributeColumns, keyId, label, type Column } from "../../table/columns";
import type { Keys } from "../../queries/keys";
import styles from "./ColumnPicker.module.css";

const SHOWN_MAX = 200;

interface Props {
  keys: Keys;
  columns: Column[];
  onColumns: (ids: string[]) => void;
}

/** Chooses the columns of the table; with thousands of keys, by searching. */
export function ColumnPicker({ keys, columns, onColumns }: Props) {
  const [text, setText] = useState("");
  const chosen = new Set(columns.map((column) => column.id));
  const found = useMemo(() => {
    const wanted = text.toLowerCase();
    return all(keys).filter((column) => column.id.toLowerCase().includes(wanted));
  }, [keys, text]);
  const toggle = (id: string) =>
    onColumns(
      chosen.has(id) ? columns.map((it) => it.id).filter((it) => it !== id) : [...columns.map((it) => it.id), id],
    );
  return (
    <Popover.Root>
      <Popover.Trigger asChild>
        <Button>Columns</Button>
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content className={styles.window} align="end" sideOffset={4}>
          <Field
            label="Search columns"
            hideLabel
            type="search"
            placeholder="Search params, metrics, tags"
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
          <div className={styles.list}>
            {found.slice(0, SHOWN_MAX).map((column) => (
              <label key={column.id}>
                <input type="checkbox" checked={chosen.has(column.id)} onChange={() => toggle(column.id)} />
                <span title={column.id}>{label(column)}</span>
                <small>{column.kind === "attribute" ? "run" : column.kind.slice(0, -1)}</small>
              </label>
            ))}
            {found.length > SHOWN_MAX && <p>{found.length - SHOWN_MAX} more: search for them.</p>}
            {found.length === 0 && <p>Nothing is called so.</p>}
          </div>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

function all({ params, metrics, tags }: Keys): Column[] {
  const of = (kind: "params" | "metrics" | "tags", keys: string[]): Column[] =>
    keys.map((key) => ({ id: keyId(kind, key), kind, key }));
  return [...attributeColumns, ...of("params", params), ...of("metrics", metrics), ...of("tags", tags)];
}
