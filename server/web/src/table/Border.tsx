import { useRef, type PointerEvent } from "react";

import styles from "./RunsTable.module.css";

interface Props {
  /** Of the column on its left. */
  name: string;
  /** Where it is; at the end of what is around it without. */
  left?: number;
  width: number;
  /** Null is the usual width; the last call of a stroke says so. */
  onWidth: (width: number | null, isLast: boolean) => void;
}

/** The border behind a column's heading, at which it is drawn wider; a double click gives it its usual width. The keyboard has Alt Shift with an arrow key on the heading. */
export function Border({ name, left, width, onWidth }: Props) {
  const from = useRef<{ x: number; width: number } | null>(null);
  const drawnTo = (event: PointerEvent) => (from.current ? from.current.width + event.clientX - from.current.x : width);
  return (
    <div
      className={styles.border}
      style={left === undefined ? { right: -4 } : { left: left - 4 }}
      data-border={name}
      aria-hidden="true"
      title="Draw to change the width; double-click for the usual one"
      onPointerDown={(event) => {
        event.preventDefault();
        event.currentTarget.setPointerCapture(event.pointerId);
        from.current = { x: event.clientX, width };
      }}
      onPointerMove={(event) => from.current && onWidth(drawnTo(event), false)}
      onPointerUp={(event) => {
        if (from.current && event.clientX !== from.current.x) onWidth(drawnTo(event), true);
        from.current = null;
      }}
      onPointerCancel={() => {
        from.current = null;
        onWidth(width, true);
      }}
      onDoubleClick={() => onWidth(null, true)}
    />
  );
}
