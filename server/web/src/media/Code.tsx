import hljs from "highlight.js/lib/common";
import { useMemo } from "react";

import styles from "./Viewer.module.css";

/** Source code in colours. The library escapes the text before it adds its own marks. */
export default function Code({ text, language }: { text: string; language: string }) {
  const html = useMemo(
    () => (hljs.getLanguage(language) ? hljs.highlight(text, { language, ignoreIllegals: true }).value : null),
    [text, language],
  );
  if (html === null) return <pre className={styles.text}>{text}</pre>;
  return (
    <pre className={`${styles.text} ${styles.code}`}>
      <code dangerouslySetInnerHTML={{ __html: html }} />
    </pre>
  );
}
