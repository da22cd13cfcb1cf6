import type { ModelVersion } from "../gen/stepwell_api/v1/registry_pb";

/** Where files of a model are among the server's artifacts: of a run or a logged model, in a folder. */
export interface Place {
  owner: string;
  folder: string;
}

const OF_RUN = /^runs:\/+(?:[^/]+:\d+\/)?([0-9a-f]{32})(?:\/(.*))?$/s;
const OF_MODEL = /^models:\/+(m-[0-9a-f]{32})(?:\/(.*))?$/s;
const STORED = /\/((?:m-)?[0-9a-f]{32})\/artifacts(?:\/(.*))?$/s;

/** Where a version's files are; null when they are outside the server. */
export function placeOf(version: Pick<ModelVersion, "source" | "storageUri">): Place | null {
  for (const uri of [version.source, version.storageUri]) {
    const found = OF_MODEL.exec(uri) ?? OF_RUN.exec(uri) ?? STORED.exec(uri);
    if (found) return { owner: found[1] as string, folder: (found[2] ?? "").replace(/\/+$/, "") };
  }
  return null;
}

export function within(folder: string, name: string): string {
  return folder ? `${folder}/${name}` : name;
}
