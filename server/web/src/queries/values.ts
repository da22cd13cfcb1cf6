import { queryOptions } from "@tanstack/react-query";

import { searchService } from "../api/clients";
import { ViewType } from "../gen/stepwell_api/v1/runs_pb";

const FRESH_MS = 30_000;
const VALUES_SHOWN = 50;

/** Which runs are looked at: those of some experiments, that are in use or that are deleted. */
export interface Scope {
  experimentIds: bigint[];
  deleted: boolean;
}

/** Values that a field has in the latest runs, those of most runs first. */
export function valuesQuery({ experimentIds, deleted }: Scope, field: string, contains: string) {
  return queryOptions({
    queryKey: ["values", experimentIds.map(String), deleted, field, contains],
    queryFn: ({ signal }) =>
      searchService.listValues(
        {
          experimentIds,
          viewType: deleted ? ViewType.DELETED_ONLY : ViewType.ACTIVE_ONLY,
          field,
          contains,
          limit: VALUES_SHOWN,
        },
        { signal },
      ),
    select: (answer) => answer.values,
    staleTime: FRESH_MS,
    placeholderData: (before, query) => (query?.queryKey[3] === field ? before : undefined),
    retry: false, // a field that is being written may be none
  });
}
