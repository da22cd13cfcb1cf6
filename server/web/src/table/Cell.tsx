import { useContext } from "react";

import { fullNumber, shortNumber } from "../format/numbers";
import type { Run } from "../gen/stepwell_api/v1/runs_pb";
import { Duration } from "../parts/Duration";
import { Status } from "../parts/Status";
import { Time } from "../parts/Time";
import { cell, type Column } from "./columns";
import { ExperimentNames } from "./ExperimentNames";
import { runIdOf } from "./rows";
import styles from "./RunsTable.module.css";

const LOST_TAG = "stepwell.lost";

interface Props {
  run: Run;
  column: Column;
  baseline: Run | undefined;
  /** For so many digits. */
  room: number;
}

/** What a run has in a column; beside a baseline, how that differs. */
export function Cell({ run, column, baseline, room }: Props) {
  if (column.id === "status" && run.info) {
    return <Status status={run.info.status} lost={run.tags.find((tag) => tag.key === LOST_TAG)?.value} />;
  }
  const value = cell(run, column);
  if (value === undefined) return <span className={styles.nothing}>–</span>;
  if (column.id === "start_time" || column.id === "end_time") return <Time ms={value as number} />;
  if (column.id === "duration" && run.info) return <Duration info={run.info} />;
  if (column.id === "experiment_id") return <ExperimentName id={value as string} />;
  const compared = baseline && column.kind !== "attribute" && runIdOf(baseline) !== runIdOf(run);
  const base = compared ? cell(baseline, column) : undefined;
  if (typeof value === "number") {
    const difference = typeof base === "number" ? value - base : Number.NaN;
    const told = Number.isNaN(difference) ? "" : signed(difference, (size) => shortNumber(size, 2, room / 2));
    return (
      <span title={fullNumber(value)}>
        {told && (
          <small className={styles.difference} title={`${signed(difference, fullNumber)} beside the baseline`}>
            {told}{" "}
          </small>
        )}
        {shortNumber(value, 4, room - told.length)}
      </span>
    );
  }
  return (
    <span title={value} className={compared && base !== value ? styles.different : undefined}>
      {value}
    </span>
  );
}

function ExperimentName({ id }: { id: string }) {
  const name = useContext(ExperimentNames).get(id) ?? id;
  return <span title={name}>{name}</span>;
}

/** A difference with its sign. */
function signed(difference: number, text: (size: number) => string): string {
  return (difference > 0 ? "+" : difference < 0 ? "−" : "±") + text(Math.abs(difference));
}
