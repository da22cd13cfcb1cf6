import { useSyncExternalStore } from "react";

import { explain } from "../api/failures";
import styles from "./toast.module.css";

interface Toast {
  id: number;
  text: string;
  bad: boolean;
  undo?: () => void;
}

const SHOWN_MS = 10_000;
const TOASTS_MAX = 4;
let toasts: Toast[] = [];
let lastId = 0;
const listeners = new Set<() => void>();

/** Say that something was done; `undo` takes it back. */
export function say(text: string, undo?: () => void): void {
  show({ id: ++lastId, text, bad: false, undo });
}

/** Say that something failed, in the server's words. */
export function complain(error: unknown): void {
  show({ id: ++lastId, text: explain(error), bad: true });
}

/** Do what answers with `done`, or tell why not; also when what asked for it is no longer on the page by then. */
export function told<Given>(answer: Promise<Given>, done?: (given: Given) => void): void {
  answer.then(done, complain);
}

export function Toasts() {
  const shown = useSyncExternalStore(subscribe, () => toasts);
  return (
    <div className={styles.toasts} role="status" aria-live="polite">
      {shown.map((toast) => (
        <div key={toast.id} className={`${styles.toast} ${toast.bad ? styles.bad : ""}`}>
          <span>{toast.text}</span>
          {toast.undo && (
            <button type="button" onClick={() => (toast.undo?.(), drop(toast.id))}>
              Undo
            </button>
          )}
          <button type="button" aria-label="Dismiss" onClick={() => drop(toast.id)}>
            ×
          </button>
        </div>
      ))}
    </div>
  );
}

function show(toast: Toast): void {
  toasts = [...toasts.slice(1 - TOASTS_MAX), toast];
  tell();
  setTimeout(() => drop(toast.id), SHOWN_MS);
}

function drop(id: number): void {
  toasts = toasts.filter((toast) => toast.id !== id);
  tell();
}

function tell(): void {
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
