import { useInfiniteQuery } from "@tanstack/react-query";

import { Viewer } from "../../media/Viewer";
import { FILES } from "../../parts/firstSteps";
import { Empty, Failure } from "../../parts/Notice";
import { Script } from "../../parts/Script";
import { artifactUrl, folderQuery } from "../../queries/artifacts";
import styles from "./Artifacts.module.css";
import { FileTree } from "./FileTree";

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
  if (root.isLoadingError) return <Failure error={root.error} retry={() => void root.refetch()} />;
  const isEmpty = root.data?.pages.every((page) => page.artifacts.length === 0);
  if (isEmpty)
    return (
      <Empty title="No files yet">
        <Script title="Python, in the run" text={FILES} />
      </Empty>
    );
  return (
    <div className={styles.panes}>
      <FileTree runId={runId} folder={folder} live={live} chosen={path} onPath={onPath} />
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
