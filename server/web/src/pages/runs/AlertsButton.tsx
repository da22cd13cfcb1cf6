import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";

import { AlertLevel } from "../../gen/stepwell_api/v1/ingest_pb";
import { Alerts } from "../../parts/Alerts";
import { Button } from "../../parts/Button";
import { Dialog } from "../../parts/Dialog";
import { alertsQuery } from "../../queries/alerts";
import styles from "./AlertsButton.module.css";

/** What runs of the experiments wanted people to know; nothing where they said nothing. */
export function AlertsButton({ experimentIds }: { experimentIds: bigint[] }) {
  const found = useInfiniteQuery({ ...alertsQuery({ experimentIds }, true), enabled: experimentIds.length > 0 });
  const [open, setOpen] = useState(false);
  const alerts = found.data?.pages.flatMap((page) => page.alerts) ?? [];
  if (alerts.length === 0) return null;
  const isBad = alerts.some(({ alert }) => alert?.level === AlertLevel.ERROR);
  return (
    <>
      <Button kind="quiet" onClick={() => setOpen(true)}>
        Alerts{" "}
        <small className={`${styles.count} ${isBad ? styles.bad : ""}`}>
          {alerts.length}
          {found.hasNextPage && "+"}
        </small>
      </Button>
      {open && (
        <Dialog open wide title="Alerts" onClose={() => setOpen(false)}>
          <Alerts of={{ experimentIds }} live withRuns />
        </Dialog>
      )}
    </>
  );
}
