import { infiniteQueryOptions } from "@tanstack/react-query";

import { accessService } from "../api/accessClients";

const PAGE_SIZE = 100;

/** What was done, the latest first: by one account, or of one kind, where these are not empty. */
export function auditQuery(account: string, action: string) {
  return infiniteQueryOptions({
    queryKey: ["audit", account, action],
    queryFn: ({ pageParam, signal }) =>
      accessService.listAudit({ account, action, beforeNumber: pageParam, limit: PAGE_SIZE }, { signal }),
    initialPageParam: 0n,
    getNextPageParam: ({ entries }) => (entries.length < PAGE_SIZE ? undefined : entries.at(-1)?.number),
    select: ({ pages }) => pages.flatMap(({ entries }) => entries),
    placeholderData: (before) => before,
  });
}
