import { Link } from "@tanstack/react-router";
import { Fragment } from "react";

import type { Row } from "../../compare/rows";
import { fullNumber, shortNumber } from "../../format/numbers";
import type { Run } from "../../gen/stepwell_api/v1/runs_pb";
import { Duration } from "../../parts/Duration";
import { Status } from "../../parts/Status";
import { Time } from "../../parts/Time";
import styles from "./ComparePage.module.css";

const KINDS = [
  ["params", "Params"],
  ["metrics", "Metrics"],
  ["tags", "Tags"],
  ["datasets", "Data sets"],
] as const;
const ROWS_SHOWN = 1_000;

interface Props {
  runs: Run[];
  rows: Row[];
  colors: ReadonlyMap<string, string>;
  /** The place of the run beside which the others show how they differ. */
  baseline: number;
  onBaseline: (runId: string) => void;
  onRemove: (runId: string) => void;
}

/** Runs as columns, what they logged as rows; values that are the baseline's step back. */
export function CompareTable({ runs, rows, colors, baseline, onBaseline, onRemove }: Props) {
  return (
    <div className={styles.scroll}>
      <table className={styles.table}>
        <thead>
          <tr>
            <th scope="col">Run</th>
            {runs.map(({ info }, place) => (
              <th key={info?.runId} scope="col">
                <i style={{ background: colors.get(info?.runId ?? "") }} />
                <Link
                  to="/experiments/$experimentId/runs/$runId"
                  params={{ experimentId: String(info?.experimentId), runId: info?.runId ?? "" }}
                >
                  {info?.name}
                </Link>
                <div className={styles.acts}>
                  <button
                    type="button"
                    aria-pressed={place === baseline}
                    aria-label={`Use ${info?.name} as baseline`}
                    onClick={() => onBaseline(info?.runId ?? "")}
                  >
                    baseline
                  </button>
                  <button
                    type="button"
                    aria-label={`Take ${info?.name} out`}
                    onClick={() => onRemove(info?.runId ?? "")}
                  >
                    ×
                  </button>
                </div>
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
              <td key={info?.runId}>{info && <Duration info={info} />}</td>
            ))}
          </tr>
          {KINDS.map(([kind, title]) => (
            <Group
              key={kind}
              title={title}
              columns={runs.length}
              rows={rows.filter((row) => row.kind === kind)}
              baseline={baseline}
            />
          ))}
        </tbody>
      </table>
      {rows.length === 0 && (
        <p className={styles.same}>Nothing to show: it is the same in all runs, or nothing is called so.</p>
      )}
    </div>
  );
}

function Group(props: { title: string; columns: number; rows: Row[]; baseline: number }) {
  const { title, columns, rows, baseline } = props;
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
            <td
              key={place}
              className={place !== baseline && Object.is(value, row.values[baseline]) ? styles.equal : ""}
              title={full(value)}
            >
              {short(value)}
              {place !== baseline && (
                <small className={styles.difference}> {difference(value, row.values[baseline])}</small>
              )}
            </td>
          ))}
        </tr>
      ))}
      {rows.length > ROWS_SHOWN && (
        <tr>
          <td colSpan={columns + 1}>{(rows.length - ROWS_SHOWN).toLocaleString("en-US")} more: search for them.</td>
        </tr>
      )}
    </Fragment>
  );
}

function difference(value: string | number | undefined, base: string | number | undefined): string {
  if (typeof value !== "number" || typeof base !== "number" || Object.is(value, base)) return "";
  const between = value - base;
  return Number.isNaN(between) ? "" : `${between > 0 ? "+" : "−"}${shortNumber(Math.abs(between), 2)}`;
}

function short(value: string | number | undefined): string {
  return typeof value === "number" ? shortNumber(value, 5) : (value ?? "–");
}

function full(value: string | number | undefined): string | undefined {
  return typeof value === "number" ? fullNumber(value) : value;
}
