import { queryOptions } from "@tanstack/react-query";

import { artifactService } from "../api/runClients";
import { isMissing } from "../api/failures";
import { FOLDERS, imageSeries, type ImageSeries } from "../media/images";

const PAGE_SIZE = 10_000;
/** Files that are looked at in a folder, at most. */
const FILES_MAX = 50_000;
const FRESH_MS = 5_000;

/** The series of pictures, sounds and videos that a run has logged. */
export function imagesQuery(runId: string, live: boolean) {
  return queryOptions({
    queryKey: ["images", runId],
    queryFn: async ({ signal }): Promise<ImageSeries[]> => {
      const found = await Promise.all(FOLDERS.map((folder) => filesIn(runId, folder, signal)));
      return imageSeries(found.flat());
    },
    refetchInterval: live ? FRESH_MS : false,
  });
}

async function filesIn(runId: string, folder: string, signal: AbortSignal): Promise<string[]> {
  const paths: string[] = [];
  let pageToken = "";
  try {
    do {
      const asked = { runId, path: folder, recursive: false, pageSize: PAGE_SIZE, pageToken };
      const page = await artifactService.listArtifacts(asked, { signal });
      paths.push(...page.artifacts.filter(({ isFolder }) => !isFolder).map(({ path }) => path));
      pageToken = page.nextPageToken;
    } while (pageToken && paths.length < FILES_MAX);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  return paths;
}
