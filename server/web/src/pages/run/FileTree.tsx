import { useInfiniteQuery } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";

import { explain } from "../../api/failures";
import { bytes } from "../../format/numbers";
import { ChevronIcon } from "../../parts/icons";
import { artifactUrl, folderQuery } from "../../queries/artifacts";
import styles from "./Artifacts.module.css";
import { fileRows, foldersAbove, type FileRow, type Loaded } from "./fileRows";

const ROW_HEIGHT = 28;
const INDENT = 14;

interface Props {
  runId: string;
  folder: string;
  live: boolean;
  chosen: string;
  onPath: (path: string) => void;
}

/** Files as a tree: a folder is asked for when it is opened, and of its lines only those in view exist. */
export function FileTree({ runId, folder, live, chosen, onPath }: Props) {
  const place = useRef<HTMLElement>(null);
  const [open, setOpen] = useState<ReadonlySet<string>>(() => new Set(foldersAbove(chosen, folder)));
  const [known, setKnown] = useState<ReadonlyMap<string, Known>>(new Map());
  const onLoaded = useCallback((path: string, it: Known) => setKnown((now) => new Map(now).set(path, it)), []);
  const rows = useMemo(() => fileRows(folder, open, known), [folder, open, known]);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => place.current,
    estimateSize: () => ROW_HEIGHT,
    getItemKey: (number) => `${rows[number]?.kind} ${rows[number]?.path}`,
    overscan: 12,
    paddingStart: ROW_HEIGHT,
  });
  const toggle = (path: string) =>
    setOpen((now) => (now.has(path) ? new Set([...now].filter((one) => one !== path)) : new Set([...now, path])));
  return (
    <nav ref={place} className={styles.tree} aria-label="Files">
      {[folder, ...open].map((path) => (
        <Folder key={path} runId={runId} path={path} live={live} onLoaded={onLoaded} />
      ))}
      <ul className={styles.folder} style={{ height: virtual.getTotalSize() }}>
        <li className={styles.item}>
          <a className={styles.all} href={artifactUrl(runId, folder, "zip")}>
            Download all as zip
          </a>
        </li>
        {virtual.getVirtualItems().map((item) => {
          const row = rows[item.index] as FileRow;
          return (
            <li
              key={item.key}
              className={`${styles.item} ${row.path === chosen && row.kind === "file" ? styles.chosen : ""}`}
              style={{
                transform: `translateY(${item.start}px)`,
                paddingLeft: (row.kind === "folder" ? 8 : 24) + row.depth * INDENT,
              }}
            >
              {row.kind === "more" ? (
                <More key={row.loaded} onMore={() => known.get(row.path)?.more()} />
              ) : row.kind === "failure" ? (
                <Failed error={row.error} onMore={() => known.get(row.path)?.more()} />
              ) : row.kind === "folder" ? (
                <Branch row={row} runId={runId} onToggle={() => toggle(row.path)} />
              ) : (
                <>
                  <button
                    type="button"
                    aria-current={row.path === chosen}
                    title={row.path}
                    onClick={() => onPath(row.path)}
                  >
                    {nameOf(row.path)}
                  </button>
                  <small>{bytes(row.sizeBytes)}</small>
                </>
              )}
            </li>
          );
        })}
      </ul>
    </nav>
  );
}

interface Known extends Loaded {
  more: () => void;
}

interface FolderProps {
  runId: string;
  path: string;
  live: boolean;
  onLoaded: (path: string, known: Known) => void;
}

/** Asks for what is in an open folder, and draws nothing: its lines stand among those of others. */
function Folder({ runId, path, live, onLoaded }: FolderProps) {
  const { data, error, isFetchNextPageError, hasNextPage, refetch, fetchNextPage } = useInfiniteQuery(
    folderQuery(runId, path, live),
  );
  useEffect(() => {
    if (data)
      onLoaded(path, {
        artifacts: data.pages.flatMap((page) => page.artifacts),
        hasMore: hasNextPage,
        error: isFetchNextPageError ? error : undefined,
        more: () => void fetchNextPage({ cancelRefetch: false }),
      });
    else if (error) onLoaded(path, { artifacts: [], hasMore: true, error, more: () => void refetch() });
  }, [data, error, isFetchNextPageError, hasNextPage, path, onLoaded, refetch, fetchNextPage]);
  return null;
}

interface BranchProps {
  row: FileRow & { kind: "folder" };
  runId: string;
  onToggle: () => void;
}

function Branch({ row: { path, isOpen }, runId, onToggle }: BranchProps) {
  const name = nameOf(path);
  return (
    <>
      <button type="button" aria-expanded={isOpen} onClick={onToggle}>
        <span className={isOpen ? styles.open : ""}>
          <ChevronIcon size={12} />
        </span>
        {name}/
      </button>
      <a href={artifactUrl(runId, path, "zip")} aria-label={`Download ${name} as zip`}>
        zip
      </a>
    </>
  );
}

/** Asks for the next files of a folder when it comes into view. */
function More({ onMore }: { onMore: () => void }) {
  useEffect(onMore, []);
  return (
    <button type="button" className={styles.more} onClick={onMore}>
      Loading …
    </button>
  );
}

/** Why files of a folder did not come, where they would stand. */
function Failed({ error, onMore }: { error: unknown; onMore: () => void }) {
  const why = explain(error);
  return (
    <>
      <span className={styles.failure} role="alert" title={why}>
        {why}
      </span>
      <button type="button" className={styles.again} onClick={onMore}>
        Try again
      </button>
    </>
  );
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
