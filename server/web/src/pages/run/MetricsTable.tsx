import { Link } from "@tanstack/react-router";
import { useDeferredValue, useMemo, useState } from "react";

import { fullNumber, shortNumber, wholeNumber } from "../../format/numbers";
import type { Run } from "../../gen/stepwell_api/v1/runs_pb";
import { Field } from "../../parts/Field";
import { SYSTEM_PREFIX, type MetricSummary } from "../../queries/run";
import styles from "./RunPage.module.css";

const SHOWN_MAX = 500;

/** A text as a regular expression that finds it and nothing else. */
function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/** What the run itself tells of a metric, and all of it as soon as that is known. */
type Row = Pick<MetricSummary, "key" | "value" | "step"> & Partial<MetricSummary>;

/** All metrics but those of the system: latest value and step, extremes, mean, and how many points there are. */
export function MetricsTable({ run, summaries }: { run: Run; summaries: MetricSummary[] | undefined }) {
  const [text, setText] = useState("");
  const wanted = useDeferredValue(text.toLowerCase());
  const found = useMemo(() => {
    const order = new Intl.Collator("en", { numeric: true }).compare;
    const rows: Row[] = summaries ?? run.metrics;
    return rows
      .filter(({ key }) => !key.startsWith(SYSTEM_PREFIX) && key.toLowerCase().includes(wanted))
      .sort((a, b) => order(a.key, b.key));
  }, [summaries, run.metrics, wanted]);
  const system = run.metrics.filter(({ key }) => key.startsWith(SYSTEM_PREFIX)).length;
  const own = run.metrics.length - system;
  return (
    <section className={styles.box}>
      <header>
        <h2>
          Metrics <small>{wholeNumber(own)}</small>
        </h2>
        {own > 5 && (
          <Field
            label="Search metrics"
            hideLabel
            type="search"
            placeholder="Search metrics"
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
        )}
      </header>
      {own === 0 ? (
        <p className={styles.nothing}>None yet.</p>
      ) : (
        <div className={`${styles.scroll} ${styles.measured}`}>
          <table className={`${styles.values} ${styles.metrics}`}>
            <thead>
              <tr>
                {["Metric", "Latest", "Step", "Least", "Greatest", "Mean", "Points"].map((name) => (
                  <th key={name} scope="col">
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {found.slice(0, SHOWN_MAX).map((one) => (
                <tr key={one.key}>
                  <th scope="row">
                    <Link
                      from="/experiments/$experimentId/runs/$runId"
                      to="."
                      search={{ tab: "charts", metrics: `^${escaped(one.key)}$` }}
                    >
                      {one.key}
                    </Link>
                  </th>
                  <Figure value={one.value} />
                  <td>{wholeNumber(one.step)}</td>
                  {[one.minimum, one.maximum, one.mean].map((value, place) => (
                    // They are of the finite values, and there may be none.
                    <Figure key={place} value={one.count && one.oddCount === one.count ? null : value} />
                  ))}
                  <td title={one.oddCount ? `${one.oddCount} of them are NaN or infinite` : undefined}>
                    {one.count !== undefined && wholeNumber(one.count)}
                    {one.oddCount !== undefined && one.oddCount > 0n && (
                      <span className={styles.odd}> ▲ {wholeNumber(one.oddCount)}</span>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          {found.length > SHOWN_MAX && (
            <p className={styles.nothing}>{found.length - SHOWN_MAX} more: search for them.</p>
          )}
        </div>
      )}
      {system > 0 && (
        <p className={styles.nothing}>
          <Link from="/experiments/$experimentId/runs/$runId" to="." search={{ tab: "system" }}>
            {wholeNumber(system)} system metrics
          </Link>{" "}
          are beside these.
        </p>
      )}
    </section>
  );
}

function Figure({ value }: { value: number | null | undefined }) {
  if (value === undefined) return <td />;
  if (value === null) return <td>–</td>;
  return <td title={fullNumber(value)}>{shortNumber(value)}</td>;
}
