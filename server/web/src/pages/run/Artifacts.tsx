import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";

import { useVisible } from "../../charts/useVisible";
import { bytes } from "../../format/numbers";
import type { Artifact } from "../../gen/stepwell_api/v1/artifacts_pb";
import { Viewer } from "../../media/Viewer";
import { ChevronIcon } from "../../parts/icons";
import { Empty, Failure } from "../../parts/Notice";
import { artifactUrl, folderQuery } from "../../queries/artifacts";
import styles from "./Artifacts.module.css";

interface Props {
  /** A run, or a logged model. */
  runId: string;
  /** What is shown is below this folder; all of it without one. */
  folder?: string;
  live: boolean;
  path: string;
  onPath: (path: string) => void;
}

/** The files of a run or a model: a tree that asks for a folder when it is opened, and a view of the chosen file. */
export function Artifacts({ runId, folder = "", live, path, onPath }: Props) {
  const root = useInfiniteQuery(folderQuery(runId, folder, live));
  if (root.isError) return <Failure error={root.error} retry={() => void root.refetch()} />;
  const isEmpty = root.data?.pages.every((page) => page.artifacts.length === 0);
  if (isEmpty) return <Empty title="No files yet">log_artifact, log_figure and log_table bring them here.</Empty>;
  return (
    <div className={styles.panes}>
      <nav className={styles.tree} aria-label="Files">
        <a className={styles.all} href={artifactUrl(runId, folder, "zip")}>
          Download all as zip
        </a>
        <Folder runId={runId} path={folder} live={live} chosen={path} onPath={onPath} depth={0} />
      </nav>
      <div className={styles.view}>{path ? <File runId={runId} path={path} /> : <Empty title="Choose a file" />}</div>
    </div>
  );
}

function File({ runId, path }: { runId: string; path: string }) {
  return (
    <>
      <header className={styles.header}>
        <code title={path}>{path}</code>
        <a href={artifactUrl(runId, path, "download")}>Download</a>
      </header>
      <div className={styles.content}>
        <Viewer runId={runId} path={path} key={path} />
      </div>
    </>
  );
}

interface FolderProps {
  runId: string;
  path: string;
  live: boolean;
  chosen: string;
  onPath: (path: string) => void;
  depth: number;
}

function Folder({ runId, path, live, chosen, onPath, depth }: FolderProps) {
  const found = useInfiniteQuery(folderQuery(runId, path, live));
  const artifacts = found.data?.pages.flatMap((page) => page.artifacts) ?? [];
  return (
    <ul className={styles.folder}>
      {artifacts.map((artifact) =>
        artifact.isFolder ? (
          <Branch key={artifact.path} {...{ runId, live, chosen, onPath, depth }} path={artifact.path} />
        ) : (
          <Leaf key={artifact.path} artifact={artifact} depth={depth} chosen={chosen} onPath={onPath} />
        ),
      )}
      {found.hasNextPage && (
        <li>
          <More
            key={artifacts.length}
            isFetching={found.isFetchingNextPage}
            onMore={() => void found.fetchNextPage()}
          />
        </li>
      )}
    </ul>
  );
}

/** Asks for the next files of a folder when it comes into view. */
function More({ isFetching, onMore }: { isFetching: boolean; onMore: () => void }) {
  const place = useRef<HTMLButtonElement>(null);
  const visible = useVisible(place);
  useEffect(() => {
    if (visible && !isFetching) onMore();
  }, [visible]);
  return (
    <button ref={place} type="button" className={styles.more} onClick={onMore}>
      {isFetching ? "Loading …" : "Show more"}
    </button>
  );
}

function Branch(props: FolderProps) {
  const { runId, path, chosen, depth } = props;
  const [open, setOpen] = useState(chosen.startsWith(`${path}/`));
  const name = path.slice(path.lastIndexOf("/") + 1);
  return (
    <li>
      <div className={styles.item} style={{ paddingLeft: 8 + depth * 14 }}>
        <button type="button" aria-expanded={open} onClick={() => setOpen(!open)}>
          <span className={open ? styles.open : ""}>
            <ChevronIcon size={12} />
          </span>
          {name}/
        </button>
        <a href={artifactUrl(runId, path, "zip")} aria-label={`Download ${name} as zip`}>
          zip
        </a>
      </div>
      {open && <Folder {...props} depth={depth + 1} />}
    </li>
  );
}

interface LeafProps {
  artifact: Artifact;
  depth: number;
  chosen: string;
  onPath: (path: string) => void;
}

function Leaf({ artifact, depth, chosen, onPath }: LeafProps) {
  const { path } = artifact;
  return (
    <li>
      <div
        className={`${styles.item} ${path === chosen ? styles.chosen : ""}`}
        style={{ paddingLeft: 24 + depth * 14 }}
      >
        <button type="button" aria-current={path === chosen} title={path} onClick={() => onPath(path)}>
          {path.slice(path.lastIndexOf("/") + 1)}
        </button>
        <small>{bytes(artifact.sizeBytes)}</small>
      </div>
    </li>
  );
}
