import { ChevronIcon } from "../parts/icons";
import styles from "./RunsTable.module.css";

/** Shows and hides what lies in a run or a group; a place of the same width where nothing does. */
export function Opener(props: { isOpen: boolean | null; name: string; onOpen: (open: boolean) => void }) {
  const { isOpen, name, onOpen } = props;
  if (isOpen === null) return null;
  return (
    <button
      type="button"
      className={`${styles.opener} ${isOpen ? styles.opened : ""}`}
      aria-expanded={isOpen}
      aria-label={`${isOpen ? "Close" : "Open"} ${name}`}
      onClick={() => onOpen(!isOpen)}
    >
      <ChevronIcon size={12} />
    </button>
  );
}
