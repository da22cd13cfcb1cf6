import { Link } from "@tanstack/react-router";
import { lazy, Suspense, useState } from "react";

import { LifecycleStage, type Experiment } from "../../gen/stepwell_api/v1/runs_pb";
import { runsCsvAddress } from "../../api/runsCsv";
import { Button } from "../../parts/Button";
import { counted } from "../../format/numbers";
import { FilterBar } from "../../filter/FilterBar";
import { say, told } from "../../parts/toast";
import { useTitle } from "../../parts/useTitle";
import type { RunsView } from "../../url/runsView";
import { useExperimentChanges } from "../../queries/experiments";
import type { Keys } from "../../queries/keys";
import { PARENT_TAG } from "../../queries/run";
import { useMay } from "../access/may";
import { ShareExperiment } from "../access/ShareExperiment";
import { csvColumns, type Asked } from "./asked";
import { About } from "./About";
import { ColumnPicker } from "./ColumnPicker";
import { GroupPicker } from "./GroupPicker";
import styles from "./RunsPage.module.css";
import { Views } from "./Views";

interface Props {
  experiments: Experiment[];
  asked: Asked;
  view: RunsView;
  change: (part: Partial<RunsView>) => void;
  show: (view: RunsView) => void;
  onColumns: (ids: string[] | undefined) => void;
  error: unknown;
  keys: Keys;
  areKeysKnown: boolean;
  /** How many runs the filter finds; unknown until the server has counted them. */
  count: bigint | undefined;
}

// Most runs say nothing, so the first page does not wait for it.
const AlertsButton = lazy(() => import("./AlertsButton").then(({ AlertsButton }) => ({ default: AlertsButton })));

const NO_SELECTION = { selected: undefined, everything: undefined, except: undefined };
const VIEWS = [
  ["both", "Both"],
  ["table", "Table"],
  ["charts", "Charts"],
] as const;

export function Header({ experiments, asked, view, change, show, onColumns, error, keys, areKeysKnown, count }: Props) {
  const names = experiments.map((one) => one.name).join(", ");
  const only = experiments.length === 1 ? experiments[0] : undefined;
  useTitle(names);
  const may = useMay();
  const [sharing, setSharing] = useState(false);
  return (
    <header className={styles.header}>
      <div className={styles.title}>
        <Link to="/">Experiments</Link>
        <span aria-hidden="true">/</span>
        <h1 title={names}>{names || " "}</h1>
        {count !== undefined && <small>{counted(count, "run")}</small>}
        {only && (
          <Button
            kind="quiet"
            aria-pressed={view.about ?? false}
            onClick={() => change({ about: !view.about || undefined })}
          >
            About
          </Button>
        )}
        {only && (
          <Link
            to="/experiments/$experimentId/models"
            params={{ experimentId: String(only.experimentId) }}
            className={styles.models}
          >
            Models
          </Link>
        )}
        {may.share && only && (
          <Button kind="quiet" onClick={() => setSharing(true)}>
            Share
          </Button>
        )}
        {sharing && only && <ShareExperiment experiment={only} onClose={() => setSharing(false)} />}
        <Suspense>
          <AlertsButton experimentIds={experiments.map(({ experimentId }) => experimentId)} />
        </Suspense>
      </div>
      {only?.lifecycleStage === LifecycleStage.DELETED && <Deleted experiment={only} />}
      {view.about && only && <About experiment={only} />}
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
        <ColumnPicker keys={keys} columns={asked.columns} areKnown={areKeysKnown} onColumns={onColumns} />
        <a
          className={styles.csv}
          download
          title="All runs that the filter finds, with these columns, as a file"
          href={runsCsvAddress({ ...asked.search, columns: csvColumns(asked) })}
        >
          CSV
        </a>
        <Views experimentIds={asked.scope.experimentIds} view={view} show={show} change={change} />
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

/** That an experiment is deleted, and how it comes back. */
function Deleted({ experiment: { experimentId, name } }: { experiment: Experiment }) {
  const { restore } = useExperimentChanges();
  const may = useMay();
  return (
    <div className={styles.deleted} role="status">
      This experiment is deleted.
      {may.manage && (
        <Button
          isBusy={restore.isPending}
          onClick={() => told(restore.mutateAsync(experimentId), () => say(`${name} is back`))}
        >
          Restore
        </Button>
      )}
    </div>
  );
}
