import { queryOptions } from "@tanstack/react-query";

import { artifactService } from "../api/clients";
import { isMissing } from "../api/failures";
import { imageSeries, type ImageSeries } from "../media/images";

const FOLDER = "images";
const PAGE_SIZE = 10_000;
/** Files that are looked at for pictures of series, at most. */
const FILES_MAX = 50_000;
const FRESH_MS = 5_000;

/** The series of pictures that a run has logged. */
export function imagesQuery(runId: string, live: boolean) {
  return queryOptions({
    queryKey: ["images", runId],
    queryFn: async ({ signal }): Promise<ImageSeries[]> => {
      const paths: string[] = [];
      let pageToken = "";
      try {
        do {
          const asked = { runId, path: FOLDER, recursive: false, pageSize: PAGE_SIZE, pageToken };
          const page = await artifactService.listArtifacts(asked, { signal });
          paths.push(...page.artifacts.filter(({ isFolder }) => !isFolder).map(({ path }) => path));
          pageToken = page.nextPageToken;
        } while (pageToken && paths.length < FILES_MAX);
      } catch (error) {
        if (!isMissing(error)) throw error;
      }
      return imageSeries(paths);
    },
    refetchInterval: live ? FRESH_MS : false,
  });
}
