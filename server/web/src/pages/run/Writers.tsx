import { useQuery } from "@tanstack/react-query";

import { wholeNumber } from "../../format/numbers";
import { duration, iso } from "../../format/times";
import type { Run } from "../../gen/stepwell_api/v1/runs_pb";
import type { Writer } from "../../gen/stepwell_api/v1/writers_pb";
import { Time } from "../../parts/Time";
import { isRunning } from "../../queries/run";
import { writersQuery } from "../../queries/writers";
import styles from "./RunPage.module.css";

/** The processes that log to the run: whether they live, and how far they are behind. */
export function Writers({ run }: { run: Run }) {
  const live = isRunning(run);
  const found = useQuery(writersQuery(run.info?.runId ?? "", live));
  const { writers = [], count = 0n } = found.data ?? {};
  if (writers.length === 0) return null;
  return (
    <section className={styles.box} aria-label="Processes">
      <header>
        <h2>
          Processes <small>{wholeNumber(count)}</small>
        </h2>
      </header>
      <div className={`${styles.scroll} ${styles.processes}`} tabIndex={0}>
        <table className={styles.values}>
          <thead>
            <tr>
              <th scope="col">Process</th>
              <th scope="col">State</th>
              <th scope="col" className={styles.entries}>
                Entries
              </th>
              <th scope="col">Last commit</th>
            </tr>
          </thead>
          <tbody>
            {writers.map((writer) => (
              <tr key={writer.writerId}>
                <th scope="row" title={`began ${iso(Number(writer.openedTimeMs))}, writer ${writer.writerId}`}>
                  {writer.rank !== undefined && <small>rank {writer.rank} </small>}
                  {writer.host}:{String(writer.processId)}
                </th>
                <td>{stateOf(writer, live)}</td>
                <td className={styles.entries} title="entries of its log that are committed; an array of points is one">
                  {wholeNumber(writer.position)}
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

function stateOf(writer: Writer, runIsLive: boolean): string {
  if (writer.isAlive && writer.seenTimeMs !== undefined) {
    const silentMs = Math.max(0, Date.now() - Number(writer.seenTimeMs));
    return silentMs < 60_000 ? "connected" : `silent for ${duration(silentMs)}`;
  }
  if (writer.isAlive) return "left, its log is delivered";
  return writer.seenTimeMs === undefined || !runIsLive ? "left" : "lost";
}
