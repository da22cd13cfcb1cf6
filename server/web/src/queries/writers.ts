import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";

import { writerService } from "../api/runClients";
import type { ConsolePiece, ConsolePlace } from "../gen/stepwell_api/v1/writers_pb";

const LIVE_MS = 1_000;
const WRITERS_MS = 2_000;
const PIECES = 200;
/** Characters of a console that a tab keeps of a run that goes on; the oldest go. */
const KEPT_CHARS_MAX = 8_000_000;

/** The processes that log, or logged, to a run, and how they stand. */
export function writersQuery(runId: string, live: boolean) {
  return queryOptions({
    queryKey: ["writers", runId],
    queryFn: ({ signal }) => writerService.listWriters({ runId }, { signal }),
    refetchInterval: live ? WRITERS_MS : false,
  });
}

/** What was refused of a run, the last first. */
export function refusalsQuery(runId: string, live: boolean) {
  return queryOptions({
    queryKey: ["refusals", runId],
    queryFn: ({ signal }) => writerService.listRefusals({ runId }, { signal }),
    refetchInterval: live ? WRITERS_MS : false,
  });
}

interface Console {
  pieces: ConsolePiece[];
  hasMore: boolean;
}

/** What was printed last; while the run is running, what is new is added to it. */
export function consoleQuery(runId: string, live: boolean) {
  return queryOptions({
    queryKey: ["console", runId],
    queryFn: async ({ signal, client, queryKey }): Promise<Console> => {
      const known = client.getQueryData<Console>(queryKey);
      if (!known?.pieces.length) return writerService.readConsole({ runId, limit: PIECES }, { signal });
      let { pieces } = known;
      // All that is new: of a run that has ended nobody asks again.
      for (let hasMore = true; hasMore;) {
        const after = [...positionsOf(pieces)].map(([writerId, position]) => ({ runId, writerId, position }));
        const fresh = await writerService.readConsole({ runId, after, limit: PIECES }, { signal });
        if (fresh.pieces.length) pieces = lastOf([...pieces, ...fresh.pieces].sort(inOrder));
        hasMore = fresh.hasMore;
      }
      return pieces === known.pieces ? known : { pieces, hasMore: known.hasMore };
    },
    refetchInterval: live ? LIVE_MS : false,
    structuralSharing: false,
  });
}

/** What was printed before a place, page by page. */
export function olderConsoleQuery(runId: string, first: ConsolePlace | undefined) {
  return infiniteQueryOptions({
    queryKey: ["console", runId, "before", first?.writerId, String(first?.position)],
    queryFn: ({ pageParam, signal }) =>
      writerService.readConsole({ runId, before: pageParam, limit: PIECES }, { signal }),
    initialPageParam: first,
    getNextPageParam: (page) => (page.hasMore ? page.pieces[0]?.place : undefined),
    enabled: false,
    staleTime: Infinity,
  });
}

/** The last pieces, as many as a tab keeps; of each writer one at least, since it tells what is known. */
function lastOf(pieces: ConsolePiece[]): ConsolePiece[] {
  let room = KEPT_CHARS_MAX;
  const seen = new Set<string>();
  const kept = pieces.toReversed().filter(({ place, lines }) => {
    room -= lines?.text.length ?? 0;
    const isLast = !seen.has(place?.writerId ?? "");
    seen.add(place?.writerId ?? "");
    return room >= 0 || isLast;
  });
  return kept.reverse();
}

/** The last position of each writer. */
function positionsOf(pieces: ConsolePiece[]): Map<string, bigint> {
  const positions = new Map<string, bigint>();
  for (const { place } of pieces) {
    if (place && place.position > (positions.get(place.writerId) ?? -1n)) positions.set(place.writerId, place.position);
  }
  return positions;
}

function inOrder(one: ConsolePiece, other: ConsolePiece): number {
  const difference = Number((one.place?.timestampMs ?? 0n) - (other.place?.timestampMs ?? 0n));
  return difference || Number((one.place?.position ?? 0n) - (other.place?.position ?? 0n));
}
