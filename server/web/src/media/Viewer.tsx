import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense } from "react";

import { Markdown } from "../parts/Markdown";
import { Empty, Failure, Loading } from "../parts/Notice";
import { artifactUrl, textQuery } from "../queries/artifacts";
import { kindOf, languageOf } from "./kinds";
import { loggedTable } from "./tables";
import { TableView } from "./TableView";
import styles from "./Viewer.module.css";

// Highlighting is larger than the rest of the page; it comes with the first file of code.
const Code = lazy(() => import("./Code"));
const Csv = lazy(() => import("./Csv"));
const Parquet = lazy(() => import("./Parquet"));
const Pdf = lazy(() => import("./Pdf"));

interface Props {
  runId: string;
  path: string;
}

/** A file of a run, shown as what it is. Nothing in it runs with the rights of this page. */
export function Viewer({ runId, path }: Props) {
  const url = artifactUrl(runId, path);
  const name = path.slice(path.lastIndexOf("/") + 1);
  switch (kindOf(path)) {
    case "image":
      return (
        <div className={styles.picture}>
          <img src={url} alt={name} />
        </div>
      );
    case "audio":
      return <audio className={styles.sound} controls src={url} aria-label={name} />;
    case "video":
      return <video className={styles.film} controls src={url} aria-label={name} />;
    case "html":
      // An opaque origin, and no scripts that could reach it: the server says so, and the frame says so again.
      return <iframe className={styles.frame} sandbox="" src={url} title={name} />;
    case "pdf":
      return (
        <Suspense fallback={<Loading what={path} />}>
          <Pdf url={url} name={name} key={path} />
        </Suspense>
      );
    case "parquet":
      return (
        <Suspense fallback={<Loading what={path} />}>
          <Parquet runId={runId} path={path} key={path} />
        </Suspense>
      );
    case "none":
      return (
        <Empty title="No view for this kind of file">
          <a href={artifactUrl(runId, path, "download")}>Download {name}</a>
        </Empty>
      );
    default:
      return <Text runId={runId} path={path} />;
  }
}

function Text({ runId, path }: Props) {
  const found = useQuery(textQuery(runId, path));
  if (found.isPending) return <Loading what={path} />;
  if (found.isLoadingError) return <Failure error={found.error} retry={() => void found.refetch()} />;
  const { text, whole } = found.data;
  return (
    <>
      {!whole && (
        <p className={styles.note}>
          This is the first MiB. <a href={artifactUrl(runId, path, "download")}>Download the whole file</a>
        </p>
      )}
      <Suspense fallback={<pre className={styles.text}>{text}</pre>}>
        <Shown runId={runId} path={path} text={text} />
      </Suspense>
    </>
  );
}

function Shown({ runId, path, text }: Props & { text: string }) {
  const kind = kindOf(path);
  if (kind === "markdown")
    return (
      <div className={styles.page}>
        <Markdown text={text} />
      </div>
    );
  if (kind === "table") return <Csv text={text} runId={runId} />;
  const table = kind === "json" ? loggedTable(text) : null;
  if (table) return <TableView table={table} runId={runId} />;
  const language = languageOf(path);
  const pretty = kind === "json" ? indented(text) : text;
  return language ? <Code text={pretty} language={language} /> : <pre className={styles.text}>{text}</pre>;
}

function indented(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
