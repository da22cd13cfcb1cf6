import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { explain } from "../../api/failures";
import { wholeNumber } from "../../format/numbers";
import type { Run } from "../../gen/stepwell_api/v1/runs_pb";
import { Alerts } from "../../parts/Alerts";
import { Retry } from "../../parts/Notice";
import { alertsQuery } from "../../queries/alerts";
import { isRunning } from "../../queries/run";
import { refusalsQuery, writersQuery } from "../../queries/writers";
import { Refusals } from "./Refusals";
import styles from "./Troubles.module.css";

const LOST_TAG = "stepwell.lost";

/** What does not stand in the figures: why the run was lost, what it wanted people to know, what was refused of it, what a resume hides. */
export function Troubles({ run }: { run: Run }) {
  const lost = run.tags.find(({ key }) => key === LOST_TAG)?.value;
  return (
    <div className={styles.troubles}>
      {lost !== undefined && (
        <p className={`${styles.trouble} ${styles.bad}`}>
          <b>This run was lost.</b> {lost}
        </p>
      )}
      <Unread run={run} />
      <Alerts of={{ runId: run.info?.runId ?? "" }} live={isRunning(run)} />
      <Refusals run={run} />
      <Resumes run={run} />
    </div>
  );
}

/** Whether it is known what there is to tell, or that it cannot be known. */
export function useTroublesKnown(run: Run): boolean {
  return !useAsked(run).some(({ isPending, failureCount }) => isPending && failureCount === 0);
}

function useAsked(run: Run) {
  const [runId, live] = [run.info?.runId ?? "", isRunning(run)];
  const alerts = useInfiniteQuery(alertsQuery({ runId }, live));
  const refusals = useQuery(refusalsQuery(runId, live));
  const writers = useQuery(writersQuery(runId, live));
  return [
    { what: "alerts", ...alerts },
    { what: "what was refused", ...refusals },
    { what: "its processes", ...writers },
  ];
}

/** What may be there to tell, and could not be read. */
function Unread({ run }: { run: Run }) {
  const failed = useAsked(run).filter(({ isLoadingError }) => isLoadingError);
  if (failed.length === 0) return null;
  return (
    <p className={`${styles.trouble} ${styles.warning}`} role="alert">
      <b>Not all of this run is shown:</b> {failed.map(({ what }) => what).join(", ")}. {explain(failed[0]?.error)}{" "}
      <Retry retry={() => failed.forEach(({ refetch }) => void refetch())} />
    </p>
  );
}

/** What resumes from a checkpoint have hidden: attempts that were given up. */
function Resumes({ run }: { run: Run }) {
  const found = useQuery(writersQuery(run.info?.runId ?? "", isRunning(run)));
  const hidden = found.data?.writers.filter(({ hiddenFromStep }) => hiddenFromStep !== undefined) ?? [];
  if (hidden.length === 0) return null;
  const from = hidden.map(({ hiddenFromStep }) => hiddenFromStep as bigint);
  const least = from.reduce((one, other) => (other < one ? other : one));
  const points = hidden.reduce((sum, { hiddenPointsMax }) => sum + hiddenPointsMax, 0n);
  return (
    <p className={styles.trouble}>
      <b>The run was resumed from step {wholeNumber(least)}</b>: up to {wholeNumber(points)} points that earlier
      attempts logged from there on are hidden.{" "}
      <Link from="/experiments/$experimentId/runs/$runId" to="." search={{ tab: "charts", withHidden: true }}>
        Show them in the charts
      </Link>
      , or bring them back with <code>StepwellClient().undo_resume(run_id)</code>.
    </p>
  );
}
