import { Popover } from "radix-ui";
import { useMemo, useState } from "react";

import { Button } from "../../parts/Button";
import { Field } from "../../parts/Field";
import { attributeColumns, keyId, label, METRIC_FUNCTIONS, type Column } from "../../table/columns";
import type { Keys } from "../../queries/keys";
import styles from "./ColumnPicker.module.css";

const SHOWN_MAX = 200;

interface Props {
  keys: Keys;
  columns: Column[];
  /** Whether all keys are known: before, the usual columns are not, and a choice would lose those to come. */
  areKnown: boolean;
  onColumns: (ids: string[] | undefined) => void;
}

/** Chooses the columns of the table; with thousands of keys, by searching. */
export function ColumnPicker({ keys, columns, areKnown, onColumns }: Props) {
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
        <Button disabled={!areKnown}>Columns</Button>
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
              <div key={column.id} className={styles.row}>
                <label>
                  <input type="checkbox" checked={chosen.has(column.id)} onChange={() => toggle(column.id)} />
                  <span title={column.id}>{label(column)}</span>
                </label>
                {column.kind === "metrics" ? (
                  <Functions metric={column.key} chosen={chosen} toggle={toggle} />
                ) : (
                  <small>{column.kind === "attribute" ? "run" : column.kind.slice(0, -1)}</small>
                )}
              </div>
            ))}
            {found.length > SHOWN_MAX && <p>{found.length - SHOWN_MAX} more: search for them.</p>}
            {found.length === 0 && <p>Nothing is called so.</p>}
          </div>
          <div className={styles.tools}>
            <Button onClick={() => onColumns(undefined)}>The usual ones</Button>
          </div>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

/** A metric may be there four times: its latest value, and the extremes and the mean of all its points. */
function Functions({ metric, chosen, toggle }: { metric: string; chosen: Set<string>; toggle: (id: string) => void }) {
  return (
    <span className={styles.functions} role="group" aria-label={`More of ${metric}`}>
      {METRIC_FUNCTIONS.map((of) => {
        const id = keyId("metrics", metric, of);
        return (
          <button
            key={of}
            type="button"
            aria-pressed={chosen.has(id)}
            aria-label={`${of} of ${metric}`}
            onClick={() => toggle(id)}
          >
            {of}
          </button>
        );
      })}
    </span>
  );
}

function all({ params, metrics, tags }: Keys): Column[] {
  const of = (kind: "params" | "metrics" | "tags", keys: string[]): Column[] =>
    keys.map((key) => ({ id: keyId(kind, key), kind, key }));
  return [...attributeColumns, ...of("params", params), ...of("metrics", metrics), ...of("tags", tags)];
}
