import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";

import { HOME } from "../api/clients";
import { refusalOf } from "../api/json";
import { artifactService } from "../api/runClients";

const PAGE_SIZE = 1_000;
const FRESH_MS = 10_000;
/** Of a text, a page shows at most this much; the rest is a download away. */
export const TEXT_BYTES_MAX = 1024 * 1024;

/** What is directly in a folder of a run, a page at a time. */
export function folderQuery(runId: string, path: string, live: boolean) {
  return infiniteQueryOptions({
    queryKey: ["artifacts", runId, path],
    queryFn: ({ pageParam, signal }) =>
      artifactService.listArtifacts(
        { runId, path, recursive: false, pageSize: PAGE_SIZE, pageToken: pageParam },
        { signal },
      ),
    initialPageParam: "",
    getNextPageParam: (page) => page.nextPageToken || undefined,
    refetchInterval: live ? FRESH_MS : false,
  });
}

/** The beginning of a file as text; `whole` tells whether that is all of it. */
export function textQuery(runId: string, path: string) {
  return queryOptions({
    queryKey: ["text", runId, path],
    queryFn: ({ signal }) => readText(runId, path, signal),
    staleTime: FRESH_MS,
  });
}

export async function readText(runId: string, path: string, signal: AbortSignal) {
  const answer = await fetch(artifactUrl(runId, path), {
    signal,
    headers: { range: `bytes=0-${TEXT_BYTES_MAX - 1}` },
  });
  // An empty file has no range to give.
  if (answer.status === 416) return { text: "", whole: true };
  if (!answer.ok) throw await refusalOf(answer);
  const total = Number(answer.headers.get("content-range")?.split("/")[1] ?? 0);
  return { text: await answer.text(), whole: total <= TEXT_BYTES_MAX };
}

/** Where a file of a run is; `zip` gives a folder as an archive. */
export function artifactUrl(runId: string, path: string, how: "show" | "download" | "zip" = "show"): string {
  const names = path.split("/").map(encodeURIComponent).join("/");
  const query = { show: "", download: "?download=1", zip: "?zip=1" }[how];
  return new URL(`api/stepwell/v1/runs/${runId}/artifacts${names && `/${names}`}${query}`, HOME).href;
}
