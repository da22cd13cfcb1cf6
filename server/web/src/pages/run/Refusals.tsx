import { useQuery } from "@tanstack/react-query";

import { wholeNumber } from "../../format/numbers";
import type { Run } from "../../gen/stepwell_api/v1/runs_pb";
import type { Refusal } from "../../gen/stepwell_api/v1/writers_pb";
import { Time } from "../../parts/Time";
import { isRunning } from "../../queries/run";
import { refusalsQuery } from "../../queries/writers";
import styles from "./Troubles.module.css";

/** What was refused of the run, or lost before it came: what, how much, when, and why. */
export function Refusals({ run }: { run: Run }) {
  const found = useQuery(refusalsQuery(run.info?.runId ?? "", isRunning(run)));
  const { refusals = [], count = 0n } = found.data ?? {};
  if (refusals.length === 0) return null;
  const isRanked = refusals.some(({ rank }) => rank !== undefined);
  return (
    <details className={`${styles.trouble} ${styles.warning}`} aria-label="What was refused">
      <summary>
        <b>
          {wholeNumber(count)} {count === 1n ? "entry" : "points or entries"} {fate(refusals)}
        </b>
        , and not part of the run: {names(refusals)}
      </summary>
      <div className={styles.scroll} tabIndex={0}>
        <table className={styles.refusals}>
          <thead>
            <tr>
              {["What", "How often", ...(isRanked ? ["Rank"] : []), "First", "Last", "Why"].map((name) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {refusals.map((one) => (
              <tr key={`${one.writerId} ${one.errorCode} ${one.key}`}>
                <th scope="row">{nameOf(one)}</th>
                <td>{wholeNumber(one.count)}</td>
                {isRanked && <td>{one.rank ?? "–"}</td>}
                <td>
                  <Time ms={one.firstTimeMs} />
                </td>
                <td>
                  <Time ms={one.lastTimeMs} />
                </td>
                <td>
                  {one.reason}
                  {one.count > 1n && !one.errorCode && " (the last one of them)"}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}

const NAMES_SHOWN = 3;

function names(refusals: Refusal[]): string {
  const all = [...new Set(refusals.map(nameOf))];
  const more = all.length - NAMES_SHOWN;
  return all.slice(0, NAMES_SHOWN).join(", ") + (more > 0 ? ` and ${more} more` : "");
}

const LOST = new Map([
  ["RESOURCE_EXHAUSTED", "what was dropped"],
  ["DATA_LOSS", "what was damaged"],
]);

/** What became of them all. */
function fate(refusals: Refusal[]): string {
  const lost = refusals.filter(isLost).length;
  if (lost === 0) return "refused";
  return lost === refusals.length ? "lost before they came" : "refused or lost";
}

function isLost({ key, errorCode }: Refusal): boolean {
  return !key && LOST.has(errorCode);
}

function nameOf({ key, errorCode }: Refusal): string {
  if (key) return key;
  const lost = LOST.get(errorCode);
  if (lost) return lost;
  return errorCode ? "all that came then" : "others";
}
