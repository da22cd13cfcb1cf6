import { useState, type KeyboardEvent, type PointerEvent } from "react";

import { SPLIT_MAX, SPLIT_MIN } from "../../url/runsView";
import styles from "./RunsPage.module.css";

interface Props {
  /** How much of the width the table has, in percent. */
  percent: number;
  onPercent: (percent: number) => void;
}

const STEP = 4;

/** The border between table and charts: drawn, or moved by the arrow keys. */
export function Split({ percent, onPercent }: Props) {
  const [drawing, setDrawing] = useState(false);
  const set = (next: number) => onPercent(Math.round(Math.min(Math.max(next, SPLIT_MIN), SPLIT_MAX)));
  const move = ({ currentTarget, clientX }: PointerEvent<HTMLElement>) => {
    const box = currentTarget.parentElement?.getBoundingClientRect();
    if (drawing && box) set(((clientX - box.left) / box.width) * 100);
  };
  const press = (event: KeyboardEvent) => {
    const step = { ArrowLeft: -STEP, ArrowRight: STEP }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    set(percent + step);
  };
  return (
    <div
      className={styles.split}
      role="separator"
      aria-orientation="vertical"
      aria-label="Width of the table"
      aria-valuenow={percent}
      aria-valuemin={SPLIT_MIN}
      aria-valuemax={SPLIT_MAX}
      tabIndex={0}
      onKeyDown={press}
      onPointerDown={(event) => {
        event.preventDefault();
        event.currentTarget.setPointerCapture(event.pointerId);
        setDrawing(true);
      }}
      onPointerMove={move}
      onPointerUp={() => setDrawing(false)}
      onPointerCancel={() => setDrawing(false)}
    />
  );
}
