import type { Artifact } from "../../gen/stepwell_api/v1/artifacts_pb";

/** What is known of a folder that is open. */
export interface Loaded {
  artifacts: Artifact[];
  hasMore: boolean;
  /** Why the rest of it did not come. */
  error?: unknown;
}

/** A line of a tree of files. */
export type FileRow =
  | { kind: "folder"; path: string; depth: number; isOpen: boolean }
  | { kind: "file"; path: string; depth: number; sizeBytes: bigint }
  | { kind: "more"; path: string; depth: number; loaded: number }
  | { kind: "failure"; path: string; depth: number; error: unknown };

/** The lines of a folder and of the open ones below it, in order; further files of a folder are a line at its end, as is why they did not come. */
export function fileRows(folder: string, open: ReadonlySet<string>, known: ReadonlyMap<string, Loaded>): FileRow[] {
  const rows: FileRow[] = [];
  const add = (path: string, depth: number) => {
    const loaded = known.get(path);
    if (!loaded) return;
    for (const { path: inside, isFolder, sizeBytes } of loaded.artifacts) {
      if (!isFolder) {
        rows.push({ kind: "file", path: inside, depth, sizeBytes });
        continue;
      }
      const isOpen = open.has(inside);
      rows.push({ kind: "folder", path: inside, depth, isOpen });
      if (isOpen) add(inside, depth + 1);
    }
    if (loaded.error) rows.push({ kind: "failure", path, depth, error: loaded.error });
    else if (loaded.hasMore) rows.push({ kind: "more", path, depth, loaded: loaded.artifacts.length });
  };
  add(folder, 0);
  return rows;
}

/** The folders above a path, below `folder`. */
export function foldersAbove(path: string, folder: string): string[] {
  const names = path.split("/").slice(0, -1);
  const all = names.map((_, place) => names.slice(0, place + 1).join("/"));
  return all.filter((one) => !folder || one.startsWith(`${folder}/`));
}
