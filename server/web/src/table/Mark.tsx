import styles from "./RunsTable.module.css";

interface Props {
  id: string;
  name: string;
  color: string;
  isShown: boolean;
  onToggle: (id: string, isShown: boolean) => void;
}

/** The colour of a run or a group in the charts, filled where it is there; a click shows and hides it. */
export function Mark({ id, name, color, isShown, onToggle }: Props) {
  return (
    <button
      type="button"
      className={styles.mark}
      style={{ background: isShown ? color : "transparent", borderColor: color }}
      aria-pressed={isShown}
      aria-label={`${isShown ? "Hide" : "Show"} ${name} in the charts`}
      title={isShown ? "Hide in the charts" : "Show in the charts"}
      onClick={() => onToggle(id, !isShown)}
    />
  );
}
