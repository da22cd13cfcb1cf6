import { useId, type InputHTMLAttributes, type TextareaHTMLAttributes } from "react";

import styles from "./Field.module.css";

interface Common {
  label: string;
  /** The label is for screen readers only; a placeholder says it to the rest. */
  hideLabel?: boolean;
  problem?: string | null;
  hint?: string;
}

type InputProps = Common & InputHTMLAttributes<HTMLInputElement>;
type AreaProps = Common & TextareaHTMLAttributes<HTMLTextAreaElement>;

export function Field({ label, hideLabel, problem, hint, className, ...rest }: InputProps) {
  const id = useId();
  return (
    <div className={`${styles.field} ${className ?? ""}`}>
      <label htmlFor={id} className={hideLabel ? styles.hidden : styles.label}>
        {label}
      </label>
      <input id={id} className={styles.input} aria-invalid={!!problem} aria-describedby={`${id}-note`} {...rest} />
      <Note id={`${id}-note`} problem={problem} hint={hint} />
    </div>
  );
}

export function Area({ label, hideLabel, problem, hint, className, ...rest }: AreaProps) {
  const id = useId();
  return (
    <div className={`${styles.field} ${className ?? ""}`}>
      <label htmlFor={id} className={hideLabel ? styles.hidden : styles.label}>
        {label}
      </label>
      <textarea id={id} className={styles.input} aria-invalid={!!problem} aria-describedby={`${id}-note`} {...rest} />
      <Note id={`${id}-note`} problem={problem} hint={hint} />
    </div>
  );
}

/** Why a form of several fields was refused: any of them may be what is wrong. */
export function Refused({ problem }: { problem: string | null }) {
  return <Note problem={problem} />;
}

function Note({ id, problem, hint }: { id?: string; problem?: string | null; hint?: string }) {
  if (problem)
    return (
      <p id={id} role="alert" className={styles.problem}>
        {problem}
      </p>
    );
  return hint ? (
    <p id={id} className={styles.hint}>
      {hint}
    </p>
  ) : null;
}
