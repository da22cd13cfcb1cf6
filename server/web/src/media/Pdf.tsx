import { getDocument, GlobalWorkerOptions, type PDFDocumentProxy, type RenderTask } from "pdfjs-dist";
import PdfWorker from "pdfjs-dist/build/pdf.worker.min.mjs?worker";
import { useEffect, useRef, useState } from "react";

import { useVisible } from "../charts/useVisible";
import { counted } from "../format/numbers";
import { Button } from "../parts/Button";
import { Failure, Loading } from "../parts/Notice";
import styles from "./Pdf.module.css";

const PIECE_BYTES = 256 * 1024;
const WIDTH_MAX_PX = 1_000;
const ZOOMS = [0.5, 0.75, 1, 1.5, 2, 3];
/** Pixels of one page, at most: what browsers draw without complaint. */
const PAGE_PIXELS_MAX = 16_000_000;

GlobalWorkerOptions.workerPort ??= new PdfWorker();

/** A document as pictures of its pages: what is active in it (scripts, forms, links) has no place to run. */
export default function Pdf({ url, name }: { url: string; name: string }) {
  const [found, setFound] = useState<{ document: PDFDocumentProxy; ratio: number } | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [zoom, setZoom] = useState(ZOOMS.indexOf(1));
  useEffect(() => {
    // Of a long document only the pages that are looked at are fetched.
    const task = getDocument({ url, rangeChunkSize: PIECE_BYTES, disableAutoFetch: true, disableStream: true });
    task.promise
      .then(async (document) => {
        const { width, height } = (await document.getPage(1)).getViewport({ scale: 1 });
        setFound({ document, ratio: height / width });
      })
      .catch(setError);
    return () => void task.destroy();
  }, [url]);
  if (error) return <Failure error={new Error(`${name} cannot be shown: ${String(error)}. Download it instead.`)} />;
  if (!found) return <Loading what={name} />;
  const { document, ratio } = found;
  return (
    <section className={styles.document} aria-label={name}>
      <header className={styles.tools}>
        <small>{counted(document.numPages, "page")}</small>
        <Button disabled={zoom === 0} aria-label="Smaller" onClick={() => setZoom(zoom - 1)}>
          −
        </Button>
        <output>{Math.round((ZOOMS[zoom] as number) * 100)} %</output>
        <Button disabled={zoom === ZOOMS.length - 1} aria-label="Larger" onClick={() => setZoom(zoom + 1)}>
          +
        </Button>
      </header>
      <div className={styles.pages} tabIndex={0} role="region" aria-label={`Pages of ${name}`}>
        {Array.from({ length: document.numPages }, (_, place) => (
          <Page key={place} document={document} number={place + 1} ratio={ratio} zoom={ZOOMS[zoom] as number} />
        ))}
      </div>
    </section>
  );
}

interface PageProps {
  document: PDFDocumentProxy;
  number: number;
  ratio: number;
  zoom: number;
}

/** One page, drawn when it is in view. */
function Page({ document, number, ratio, zoom }: PageProps) {
  const place = useRef<HTMLCanvasElement>(null);
  const visible = useVisible(place);
  const [shape, setShape] = useState(ratio);
  useEffect(() => {
    const canvas = place.current;
    if (!visible || !canvas) return;
    let task: RenderTask | null = null;
    let isGone = false;
    void document.getPage(number).then((page) => {
      if (isGone) return;
      const size = page.getViewport({ scale: 1 });
      const wanted = (canvas.clientWidth * devicePixelRatio) / size.width;
      const scale = Math.min(wanted, Math.sqrt(PAGE_PIXELS_MAX / (size.width * size.height)));
      const viewport = page.getViewport({ scale });
      canvas.width = viewport.width;
      canvas.height = viewport.height;
      setShape(size.height / size.width);
      task = page.render({ canvas, viewport });
      task.promise.then(
        () => (canvas.dataset.drawn = String(zoom)),
        () => undefined, // cancelled: it left the view
      );
    });
    return () => {
      isGone = true;
      task?.cancel();
    };
  }, [visible, document, number, zoom]);
  return (
    <canvas
      ref={place}
      className={styles.page}
      role="img"
      aria-label={`Page ${number}`}
      style={{ width: `min(${100 * zoom}%, ${WIDTH_MAX_PX * zoom}px)`, aspectRatio: String(1 / shape) }}
    />
  );
}
