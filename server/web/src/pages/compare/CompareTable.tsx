import { Link } from "@tanstack/react-router";
import { Fragment } from "react";

import type { Row } from "../../compare/rows";
import { fullNumber, shortNumber } from "../../format/numbers";
import { duration } from "../../format/times";
import type { Run } from "../../gen/stepwell_api/v1/runs_pb";
import { Status } from "../../parts/Status";
import { Time } from "../../parts/Time";
import styles from "./ComparePage.module.css";

const KINDS = [
  ["params", "Params"],
  ["metrics", "Metrics"],
  ["tags", "Tags"],
] as const;
const ROWS_SHOWN = 1_000;

/** Runs as columns, what they logged as rows; values that differ from the first run's stand out. */
export function CompareTable({ runs, rows, colors }: { runs: Run[]; rows: Row[]; colors: Map<string, string> }) {
  return (
    <div className={styles.scroll}>
      <table className={styles.table}>
        <thead>
          <tr>
            <th scope="col">Run</th>
            {runs.map(({ info }) => (
              <th key={info?.runId} scope="col">
                <i style={{ background: colors.get(info?.runId ?? "") }} />
                <Link
                  to="/experiments/$experimentId/runs/$runId"
                  params={{ experimentId: String(info?.experimentId), runId: info?.runId ?? "" }}
                >
                  {info?.name}
                </Link>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          <tr>
            <th scope="row">Status</th>
            {runs.map(({ info }) => (
              <td key={info?.runId}>{info && <Status status={info.status} />}</td>
            ))}
          </tr>
          <tr>
            <th scope="row">Started</th>
            {runs.map(({ info }) => (
              <td key={info?.runId}>{info && <Time ms={info.startTimeMs} relative={false} />}</td>
            ))}
          </tr>
          <tr>
            <th scope="row">Duration</th>
            {runs.map(({ info }) => (
              <td key={info?.runId}>
                {info?.endTimeMs === undefined ? "–" : duration(Number(info.endTimeMs - info.startTimeMs))}
              </td>
            ))}
          </tr>
          {KINDS.map(([kind, title]) => (
            <Group key={kind} title={title} columns={runs.length} rows={rows.filter((row) => row.kind === kind)} />
          ))}
        </tbody>
      </table>
      {rows.length === 0 && <p className={styles.same}>Params, metrics and tags are all the same.</p>}
    </div>
  );
}

function Group({ title, columns, rows }: { title: string; columns: number; rows: Row[] }) {
  if (rows.length === 0) return null;
  return (
    <Fragment>
      <tr className={styles.group}>
        <th scope="rowgroup" colSpan={columns + 1}>
          {title} <small>{rows.length.toLocaleString("en-US")}</small>
        </th>
      </tr>
      {rows.slice(0, ROWS_SHOWN).map((row) => (
        <tr key={row.key}>
          <th scope="row">{row.key}</th>
          {row.values.map((value, place) => (
            <td key={place} className={Object.is(value, row.values[0]) ? "" : styles.different} title={full(value)}>
              {short(value)}
            </td>
          ))}
        </tr>
      ))}
    </Fragment>
  );
}

function short(value: string | number | undefined): string {
  return typeof value === "number" ? shortNumber(value, 5) : (value ?? "–");
}

function full(value: string | number | undefined): string | undefined {
  return typeof value === "number" ? fullNumber(value) : value;
}
