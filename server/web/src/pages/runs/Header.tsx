import { Link } from "@tanstack/react-router";

import type { Experiment } from "../../gen/stepwell_api/v1/runs_pb";
import { wholeNumber } from "../../format/numbers";
import { FilterBar } from "../../filter/FilterBar";
import type { RunsView } from "../../url/runsView";
import type { Keys } from "../../queries/keys";
import { PARENT_TAG } from "../../queries/run";
import type { Asked } from "./asked";
import { ColumnPicker } from "./ColumnPicker";
import { GroupPicker } from "./GroupPicker";
import styles from "./RunsPage.module.css";

interface Props {
  experiment: Experiment | undefined;
  asked: Asked;
  view: RunsView;
  change: (part: Partial<RunsView>) => void;
  error: unknown;
  keys: Keys;
  /** How many runs the filter finds; unknown until the server has counted them. */
  count: bigint | undefined;
}

const NO_SELECTION = { selected: undefined, everything: undefined, except: undefined };
const VIEWS = [
  ["both", "Both"],
  ["table", "Table"],
  ["charts", "Charts"],
] as const;

export function Header({ experiment, asked, view, change, error, keys, count }: Props) {
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
        <FilterBar
          filter={view.q ?? ""}
          onFilter={(q) => change({ q: q || undefined, everything: undefined, except: undefined })}
          error={error}
          keys={keys}
          scope={asked.scope}
          place={asked.scope.experimentIds.join()}
        />
        <label className={styles.flag}>
          <input
            type="checkbox"
            checked={view.deleted ?? false}
            onChange={(event) => change({ deleted: event.target.checked || undefined, ...NO_SELECTION })}
          />
          Deleted
        </label>
        {keys.tags.includes(PARENT_TAG) && asked.by.length === 0 && (
          <label className={styles.flag} title="Runs that were started inside others are shown below these">
            <input
              type="checkbox"
              checked={view.nested !== "off"}
              onChange={(event) => change({ nested: event.target.checked ? undefined : "off" })}
            />
            Nested
          </label>
        )}
        <GroupPicker keys={keys} by={asked.by} onBy={(group) => change({ group, open: undefined })} />
        <ColumnPicker keys={keys} columns={asked.columns} onColumns={(ids) => change({ columns: ids })} />
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
