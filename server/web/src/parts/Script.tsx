import { Button } from "./Button";
import { copy } from "./copy";
import { CopyIcon } from "./icons";
import styles from "./Script.module.css";

/** A text to be pasted elsewhere, with a button that copies it. */
export function Script({ title, text }: { title: string; text: string }) {
  return (
    <div className={styles.script}>
      <header>
        <h3>{title}</h3>
        <Button kind="quiet" icon={<CopyIcon size={14} />} aria-label={`Copy: ${title}`} onClick={() => copy(text)}>
          Copy
        </Button>
      </header>
      <pre tabIndex={0}>
        <code>{text}</code>
      </pre>
    </div>
  );
}
