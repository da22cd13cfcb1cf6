import { queryOptions } from "@tanstack/react-query";

import { histogramService } from "../api/observationClients";
import type { HistogramName } from "../gen/stepwell_api/v1/histograms_pb";

const LIVE_MS = 5_000;
/** Names that a page lists, at most. */
const NAMES_MAX = 10_000;

/** The histograms of a run by name, with their steps. */
export function histogramNamesQuery(runId: string, live: boolean) {
  return queryOptions({
    queryKey: ["histogram names", runId],
    queryFn: async ({ signal }) => {
      const names: HistogramName[] = [];
      for (let more = true; more && names.length < NAMES_MAX;) {
        const page = await histogramService.listHistograms({ runId, afterKey: names.at(-1)?.key ?? "" }, { signal });
        names.push(...page.names);
        more = page.hasMore && page.names.length > 0;
      }
      return names;
    },
    refetchInterval: live ? LIVE_MS : false,
  });
}

/** Histograms of one name in order of steps; of more than `limit`, evenly many are left out. */
export function histogramsQuery(runId: string, key: string, limit: number, live: boolean) {
  return queryOptions({
    queryKey: ["histograms", runId, key, limit],
    queryFn: ({ signal }) => histogramService.readHistograms({ runId, key, limit }, { signal }),
    refetchInterval: live ? LIVE_MS : false,
    structuralSharing: false,
    placeholderData: (before) => before,
  });
}
