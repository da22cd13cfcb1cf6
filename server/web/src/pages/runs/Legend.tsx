import { useLayoutEffect, useRef, useState } from "react";

import type { RunLook } from "../../charts/Chart";
import { useWidth } from "../../charts/useWidth";
import { Button } from "../../parts/Button";
import styles from "./RunsPage.module.css";

interface Props {
  looks: Map<string, RunLook>;
  /** Runs that have no line because there are too many. */
  undrawn: number;
}

/** Which colour is which run or group, where no table beside the charts tells it; a few rows of them until all are wanted. */
export function Legend({ looks, undrawn }: Props) {
  const list = useRef<HTMLUListElement>(null);
  const width = useWidth(list);
  const [all, setAll] = useState(false);
  const [below, setBelow] = useState(0);
  useLayoutEffect(() => {
    const shown = list.current;
    if (!shown || all) return;
    const end = shown.getBoundingClientRect().bottom;
    setBelow([...shown.children].filter((one) => one.getBoundingClientRect().bottom > end).length);
  }, [looks, width, all]);
  return (
    <div className={styles.legend}>
      <ul ref={list} className={all ? styles.all : undefined} aria-label="Runs" tabIndex={all ? 0 : -1}>
        {[...looks].map(([id, { name, color }]) => (
          <li key={id} title={name}>
            <i style={{ background: color }} />
            <span dir="auto">{name}</span>
          </li>
        ))}
      </ul>
      {below > 0 && (
        <Button kind="quiet" aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? "Fewer" : `${below} more`}
        </Button>
      )}
      {undrawn > 0 && (
        <small>
          {undrawn} more are not drawn: a chart has {looks.size} at most.
        </small>
      )}
    </div>
  );
}
