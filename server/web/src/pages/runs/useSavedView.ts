import { useQuery } from "@tanstack/react-query";
import { useEffect } from "react";

import { viewsQuery } from "../../queries/views";
import type { RunsView } from "../../url/runsView";
import { addressOf, viewAt } from "../../url/savedView";

/** Opens the view that an address names and says nothing else of: #/experiments/3?saved=12. */
export function useSavedView(experimentIds: bigint[], view: RunsView, show: (view: RunsView) => void): void {
  const isNamedAlone = view.saved !== undefined && addressOf(view) === "";
  const { data } = useQuery({ ...viewsQuery(experimentIds), enabled: isNamedAlone });
  useEffect(() => {
    const named = isNamedAlone ? data?.find((one) => String(one.viewId) === view.saved) : undefined;
    if (named?.address) show({ ...viewAt(named.address), saved: view.saved });
  }, [isNamedAlone, data, view.saved, show]);
}
