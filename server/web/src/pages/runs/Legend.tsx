import type { RunLook } from "../../charts/Chart";
import styles from "./RunsPage.module.css";

/** Which colour is which run or group, where no table beside the charts tells it. */
export function Legend({ looks }: { looks: Map<string, RunLook> }) {
  return (
    <ul className={styles.legend} aria-label="Runs" tabIndex={0}>
      {[...looks].map(([id, { name, color }]) => (
        <li key={id} title={name}>
          <i style={{ background: color }} />
          {name}
        </li>
      ))}
    </ul>
  );
}
