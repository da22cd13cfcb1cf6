import { useState } from "react";

import { pathsOf } from "../../compare/tables";
import type { Run } from "../../gen/stepwell_api/v1/runs_pb";
import { Viewer } from "../../media/Viewer";
import { TABLES } from "../../parts/firstSteps";
import { Empty } from "../../parts/Notice";
import { Script } from "../../parts/Script";
import styles from "./ComparePage.module.css";

interface Props {
  runs: Run[];
  /** Of the tables that some of the runs have. */
  paths: string[];
  colors: ReadonlyMap<string, string>;
}

/** A logged table of each run, beside each other. */
export function CompareTables({ runs, paths, colors }: Props) {
  const [chosen, setChosen] = useState<string | null>(null);
  const path = chosen !== null && paths.includes(chosen) ? chosen : paths[0];
  if (path === undefined)
    return (
      <Empty title="No tables">
        <Script title="Python, in each run" text={TABLES} />
      </Empty>
    );
  return (
    <>
      <div className={styles.tools}>
        <label>
          Table
          <select value={path} onChange={({ target }) => setChosen(target.value)}>
            {paths.map((one) => (
              <option key={one} value={one}>
                {one}
              </option>
            ))}
          </select>
        </label>
      </div>
      <div className={styles.tables} tabIndex={0}>
        {runs.map((run) => (
          <section key={run.info?.runId} aria-label={`${path} of ${run.info?.name}`}>
            <h2>
              <i style={{ background: colors.get(run.info?.runId ?? "") }} />
              {run.info?.name}
            </h2>
            {pathsOf(run).includes(path) ? (
              <Viewer runId={run.info?.runId ?? ""} path={path} />
            ) : (
              <p className={styles.same}>It has none.</p>
            )}
          </section>
        ))}
      </div>
    </>
  );
}
