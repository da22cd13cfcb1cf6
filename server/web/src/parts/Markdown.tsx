import { lazy, Suspense } from "react";

import styles from "./Markdown.module.css";

// Loaded where there is something to show, since it is larger than all other parts together.
const Renderer = lazy(() => import("./MarkdownRenderer"));

/** Text in Markdown, as elements: markup in it stays text, and links go where they say. */
export function Markdown({ text }: { text: string }) {
  return (
    <div className={styles.markdown}>
      <Suspense fallback={<p>{text}</p>}>
        <Renderer text={text} />
      </Suspense>
    </div>
  );
}
