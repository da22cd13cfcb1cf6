import { useQuery } from "@tanstack/react-query";
import { useDeferredValue, useEffect, useId, useLayoutEffect, useRef, useState, type KeyboardEvent } from "react";

import { Button } from "../parts/Button";
import { CloseIcon } from "../parts/icons";
import { Explained } from "../parts/Notice";
import type { Keys } from "../queries/keys";
import { valuesQuery, type Scope } from "../queries/values";
import styles from "./FilterBar.module.css";
import { FilterHelp } from "./FilterHelp";
import { draftOf, keepDraft, keepFilter, recentFilters } from "./history";
import { placeAt } from "./place";
import { fieldOfValues, suggestions, textOf, type Suggestion } from "./suggestions";
import { SuggestionList } from "./SuggestionList";

interface Props {
  filter: string;
  onFilter: (filter: string) => void;
  /** What the server said of the filter that is in force. */
  error: unknown;
  keys: Keys;
  scope: Scope;
  /** Whose history and draft it is. */
  place: string;
}

/** The search of runs, in the grammar of searches; completes keys and values, and shows a mistake where it is. */
export function FilterBar({ filter, onFilter, error, keys, scope, place }: Props) {
  const [draft, setDraft] = useState(() => draftOf(place, filter));
  const [caret, setCaret] = useState(draft.length);
  const [open, setOpen] = useState(false);
  const [active, setActive] = useState(-1);
  const field = useRef<HTMLInputElement>(null);
  const moveTo = useRef<number | null>(null);
  const id = useId();
  useEffect(() => setDraft(draftOf(place, filter)), [place, filter]);
  useLayoutEffect(() => {
    if (moveTo.current === null) return;
    field.current?.setSelectionRange(moveTo.current, moveTo.current);
    moveTo.current = null;
  });
  const offered = useOffered(draft, caret, open, keys, scope, place);

  const write = (text: string, at: number, list: boolean) => {
    setDraft(text);
    keepDraft(place, filter, text);
    setCaret(at);
    setOpen(list);
    setActive(-1);
  };
  const search = (text: string) => {
    const wanted = text.trim();
    keepFilter(place, wanted);
    keepDraft(place, wanted, wanted);
    setOpen(false);
    onFilter(wanted);
  };
  const take = ({ insert, whole }: Offer) => {
    const { from } = placeAt(draft, caret);
    const text = whole ? insert : draft.slice(0, from) + insert + draft.slice(caret).replace(/^\s+/, "");
    moveTo.current = whole ? insert.length : from + insert.length;
    write(text, moveTo.current, !whole);
    field.current?.focus();
  };
  const press = (event: KeyboardEvent) => {
    const isShown = open && offered.length > 0;
    if (event.key === "Escape" && isShown) setOpen(false);
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      setOpen(true);
      const step = event.key === "ArrowDown" ? 1 : -1;
      setActive((now) => Math.max(-1, Math.min(offered.length - 1, now + step)));
    } else if (event.key === "Enter" && isShown && offered[active]) take(offered[active]);
    else if (event.key === "Tab" && !event.shiftKey && isShown && (active >= 0 || placeAt(draft, caret).typed))
      take(offered[Math.max(0, active)] as Offer);
    else if (event.key === "Enter") search(draft);
    else return;
    event.preventDefault();
  };
  return (
    <>
      <div className={styles.bar} role="search">
        <input
          ref={field}
          type="text"
          data-search
          role="combobox"
          aria-label="Filter runs"
          aria-invalid={error != null}
          aria-expanded={open && offered.length > 0}
          aria-controls={`${id}-list`}
          aria-autocomplete="list"
          aria-activedescendant={open && active >= 0 ? `${id}-${active}` : undefined}
          autoComplete="off"
          autoCapitalize="off"
          spellCheck={false}
          placeholder="metrics.loss < 0.1 AND params.optimizer = 'adamw'"
          value={draft}
          onChange={(event) => write(event.target.value, event.target.selectionStart ?? 0, true)}
          onSelect={(event) => setCaret(event.currentTarget.selectionStart ?? 0)}
          onFocus={() => setOpen(draft === "")}
          onClick={() => setOpen(true)}
          onBlur={() => setOpen(false)}
          onKeyDown={press}
        />
        {draft && (
          <Button
            kind="quiet"
            className={styles.clear}
            icon={<CloseIcon size={14} />}
            aria-label="Clear the filter"
            onClick={() => (write("", 0, false), search(""))}
          />
        )}
        {draft.trim() !== filter && (
          <Button className={styles.apply} title="Enter does the same" onClick={() => search(draft)}>
            Search
          </Button>
        )}
        <FilterHelp onTake={(example) => (write(example, example.length, false), field.current?.focus())} />
        {open && offered.length > 0 && <SuggestionList id={id} offered={offered} active={active} onTake={take} />}
      </div>
      {error != null && (
        <pre className={styles.problem} role="alert" tabIndex={0}>
          <Explained error={error} />
        </pre>
      )}
    </>
  );
}

export interface Offer extends Suggestion {
  /** A filter of before, which takes the place of all that is there. */
  whole?: boolean;
}

function useOffered(draft: string, caret: number, open: boolean, keys: Keys, scope: Scope, place: string): Offer[] {
  const at = placeAt(draft, caret);
  const wanted = useDeferredValue(textOf(at.typed));
  const of = fieldOfValues(at);
  const values = useQuery({ ...valuesQuery(scope, of ?? "", wanted), enabled: open && of !== null });
  if (!open) return [];
  const recent: Offer[] = draft
    ? []
    : recentFilters(place).map((one) => ({ insert: one, label: one, detail: "before", whole: true }));
  return [...recent, ...suggestions(at, keys, values.data ?? [])];
}
