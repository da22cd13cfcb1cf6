import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { wholeNumber } from "../../format/numbers";
import { duration } from "../../format/times";
import type { Run } from "../../gen/stepwell_api/v1/runs_pb";
import type { Writer } from "../../gen/stepwell_api/v1/writers_pb";
import { Time } from "../../parts/Time";
import { isRunning } from "../../queries/run";
import { writersQuery } from "../../queries/writers";
import styles from "./RunPage.module.css";

/** The processes that log to the run: whether they live, how far they are behind, and what a resume has hidden. */
export function Writers({ run }: { run: Run }) {
  const live = isRunning(run);
  const found = useQuery(writersQuery(run.info?.runId ?? "", live));
  const { writers = [], count = 0n } = found.data ?? {};
  if (writers.length === 0) return null;
  const isRanked = writers.some(({ rank }) => rank !== undefined);
  const hidden = writers.filter(({ hiddenFromStep }) => hiddenFromStep !== undefined);
  return (
    <section className={styles.box} aria-label="Processes">
      <header>
        <h2>
          Processes <small>{wholeNumber(count)}</small>
        </h2>
      </header>
      {hidden.length > 0 && <Resumes hidden={hidden} />}
      <div className={styles.scroll}>
        <table className={styles.values}>
          <thead>
            <tr>
              {[...(isRanked ? ["Rank"] : []), "Process", "State", "Began", "Last commit"].map((name) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {writers.map((writer) => (
              <tr key={writer.writerId}>
                {isRanked && <td>{writer.rank ?? "–"}</td>}
                <th scope="row" title={writer.writerId}>
                  {writer.host}:{String(writer.processId)}
                </th>
                <td>{stateOf(writer, live)}</td>
                <td>
                  <Time ms={writer.openedTimeMs} />
                </td>
                <td>{writer.committedTimeMs ? <Time ms={writer.committedTimeMs} /> : "never"}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {count > writers.length && <p className={styles.nothing}>The first {writers.length} by rank.</p>}
    </section>
  );
}

/** What resumes from a checkpoint have hidden: attempts that were given up. */
function Resumes({ hidden }: { hidden: Writer[] }) {
  const from = hidden.map(({ hiddenFromStep }) => hiddenFromStep as bigint);
  const least = from.reduce((one, other) => (other < one ? other : one));
  const points = hidden.reduce((sum, { hiddenPointsMax }) => sum + hiddenPointsMax, 0n);
  return (
    <p className={styles.lost}>
      The run was resumed from step {wholeNumber(least)}: up to {wholeNumber(points)} points that earlier attempts
      logged from there on are hidden.{" "}
      <Link from="/experiments/$experimentId/runs/$runId" to="." search={{ tab: "charts", withHidden: true }}>
        Show them in the charts
      </Link>
      , or bring them back with <code>StepwellClient().undo_resume(run_id)</code>.
    </p>
  );
}

function stateOf(writer: Writer, runIsLive: boolean): string {
  if (writer.isAlive && writer.seenTimeMs !== undefined) {
    const silentMs = Math.max(0, Date.now() - Number(writer.seenTimeMs));
    return silentMs < 60_000 ? "connected" : `silent for ${duration(silentMs)}`;
  }
  if (writer.isAlive) return "left, its log is delivered";
  return writer.seenTimeMs === undefined || !runIsLive ? "left" : "lost";
}
