import type { ButtonHTMLAttributes, ReactNode } from "react";

import styles from "./Button.module.css";

type Kind = "plain" | "primary" | "danger" | "quiet";

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  kind?: Kind;
  icon?: ReactNode;
  /** What it asked for is under way: it says so, and does not ask twice. */
  isBusy?: boolean;
}

/** A button; one with an icon alone needs `aria-label`. */
export function Button({ kind = "plain", icon, children, className, isBusy = false, disabled, ...rest }: Props) {
  const classes = [styles.button, styles[kind], children ? "" : styles.square, className].filter(Boolean).join(" ");
  return (
    <button
      type="button"
      className={classes}
      title={children ? undefined : rest["aria-label"]}
      aria-busy={isBusy}
      disabled={disabled || isBusy}
      {...rest}
    >
      {icon}
      {children}
    </button>
  );
}
