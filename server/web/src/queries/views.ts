import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import { searchService } from "../api/clients";

const FRESH_MS = 30_000;

/** The views that people gave names, of exactly these experiments. */
export function viewsQuery(experimentIds: bigint[]) {
  return queryOptions({
    queryKey: ["views", experimentIds.map(String)],
    queryFn: ({ signal }) => searchService.listViews({ experimentIds }, { signal }),
    select: (answer) => answer.views,
    staleTime: FRESH_MS,
  });
}

/** Save and delete views; the lists are stale then. */
export function useViewChanges() {
  const client = useQueryClient();
  const onSettled = () => client.invalidateQueries({ queryKey: ["views"] });
  return {
    save: useMutation({
      mutationFn: (given: { experimentIds: bigint[]; name: string; address: string; replace: boolean }) =>
        searchService.saveView(given),
      onSettled,
    }),
    remove: useMutation({ mutationFn: (viewId: bigint) => searchService.deleteView({ viewId }), onSettled }),
  };
}
