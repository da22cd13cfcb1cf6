import { infiniteQueryOptions } from "@tanstack/react-query";

import { alertService } from "../api/observationClients";

const LOOK_MS = 5_000;
const PAGE_SIZE = 50;

/** Alerts of a run, or of all active runs of experiments, the latest first, a page at a time. */
export function alertsQuery(asked: { runId: string } | { experimentIds: bigint[] }, live: boolean) {
  const whose = "runId" in asked ? asked.runId : asked.experimentIds.map(String);
  return infiniteQueryOptions({
    queryKey: ["alerts", whose],
    queryFn: ({ pageParam, signal }) =>
      alertService.listAlerts({ ...asked, beforeNumber: pageParam, limit: PAGE_SIZE }, { signal }),
    initialPageParam: 0n,
    getNextPageParam: (page) => (page.hasMore ? page.alerts.at(-1)?.number : undefined),
    refetchInterval: live ? LOOK_MS : false,
  });
}
