import { Link } from "@tanstack/react-router";

import type { Experiment } from "../../gen/stepwell_api/v1/runs_pb";
import { wholeNumber } from "../../format/numbers";
import type { Column } from "../../table/columns";
import type { RunsView } from "../../url/runsView";
import type { Keys } from "../../queries/keys";
import { ColumnPicker } from "./ColumnPicker";
import { FilterBar } from "./FilterBar";
import styles from "./RunsPage.module.css";

interface Props {
  experiment: Experiment | undefined;
  view: RunsView;
  change: (part: Partial<RunsView>) => void;
  error: unknown;
  keys: Keys;
  columns: Column[];
  /** How many runs the filter finds; unknown until the server has counted them. */
  count: bigint | undefined;
}

const VIEWS = [
  ["both", "Both"],
  ["table", "Table"],
  ["charts", "Charts"],
] as const;

export function Header({ experiment, view, change, error, keys, columns, count }: Props) {
  return (
    <header className={styles.header}>
      <div className={styles.title}>
        <Link to="/">Experiments</Link>
        <span aria-hidden="true">/</span>
        <h1>{experiment?.name ?? " "}</h1>
        {count !== undefined && (
          <small>
            {wholeNumber(count)} {count === 1n ? "run" : "runs"}
          </small>
        )}
      </div>
      <div className={styles.tools}>
        <FilterBar filter={view.q ?? ""} onFilter={(q) => change({ q: q || undefined })} error={error} />
        <label className={styles.flag}>
          <input
            type="checkbox"
            checked={view.deleted ?? false}
            onChange={(event) => change({ deleted: event.target.checked || undefined })}
          />
          Deleted
        </label>
        <ColumnPicker keys={keys} columns={columns} onColumns={(ids) => change({ columns: ids })} />
        <div className={styles.views} role="group" aria-label="Show">
          {VIEWS.map(([name, text]) => (
            <button
              key={name}
              type="button"
              aria-pressed={(view.view ?? "both") === name}
              onClick={() => change({ view: name === "both" ? undefined : name })}
            >
              {text}
            </button>
          ))}
        </div>
      </div>
    </header>
  );
}
