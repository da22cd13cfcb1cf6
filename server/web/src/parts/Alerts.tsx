import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import type { StoredAlert } from "../gen/stepwell_api/v1/alerts_pb";
import { AlertLevel } from "../gen/stepwell_api/v1/ingest_pb";
import { alertsQuery } from "../queries/alerts";
import styles from "./Alerts.module.css";
import { Button } from "./Button";
import { Time } from "./Time";

const LOOKS: Partial<Record<AlertLevel, [string, string | undefined]>> = {
  [AlertLevel.INFO]: ["Info", styles.info],
  [AlertLevel.WARNING]: ["Warning", styles.warning],
  [AlertLevel.ERROR]: ["Error", styles.error],
};

interface Props {
  of: { runId: string } | { experimentIds: bigint[] };
  live: boolean;
  /** Where they are of several runs, each says of which. */
  withRuns?: boolean;
}

/** What runs wanted people to know, the latest first; nothing where they said nothing. */
export function Alerts({ of, live, withRuns = false }: Props) {
  const found = useInfiniteQuery(alertsQuery(of, live));
  const alerts = found.data?.pages.flatMap((page) => page.alerts) ?? [];
  if (alerts.length === 0) return null;
  return (
    <div>
      <ul className={styles.alerts} aria-label="Alerts">
        {alerts.map((alert) => (
          <Alert key={String(alert.number)} alert={alert} withRun={withRuns} />
        ))}
      </ul>
      {found.hasNextPage && (
        <Button disabled={found.isFetchingNextPage} onClick={() => void found.fetchNextPage()}>
          Earlier ones
        </Button>
      )}
    </div>
  );
}

function Alert({ alert: { alert, runId, runName, experimentId }, withRun }: { alert: StoredAlert; withRun: boolean }) {
  if (!alert) return null;
  const [word, look] = LOOKS[alert.level] ?? ["", ""];
  return (
    <li>
      <span className={`${styles.level} ${look}`}>{word}</span>
      <div>
        <b>{alert.title}</b>{" "}
        <small>
          <Time ms={alert.timestampMs} />
          {withRun && (
            <>
              {" · "}
              <Link to="/experiments/$experimentId/runs/$runId" params={{ experimentId: String(experimentId), runId }}>
                {runName}
              </Link>
            </>
          )}
        </small>
        {alert.text && <p>{alert.text}</p>}
      </div>
    </li>
  );
}
