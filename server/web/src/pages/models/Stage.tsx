import styles from "./Models.module.css";

const LOOKS: Record<string, string> = {
  None: styles.None ?? "",
  Staging: styles.Staging ?? "",
  Production: styles.Production ?? "",
  Archived: styles.Archived ?? "",
};

/** A stage as a chip, and which version is in it. */
export function Stage({ stage, version }: { stage: string; version?: number }) {
  const look = Object.hasOwn(LOOKS, stage) ? LOOKS[stage] : "";
  return (
    <span className={`${styles.stage} ${look}`} title={stage}>
      {stage}
      {version !== undefined && ` ${version}`}
    </span>
  );
}
