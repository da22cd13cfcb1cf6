import { useQuery } from "@tanstack/react-query";

import { firstRun, FOR_MLFLOW } from "../parts/firstSteps";
import { Script } from "../parts/Script";
import { summariesOfExperimentsQuery } from "../queries/experiments";
import { LoginFirst } from "./access/LoginFirst";
import styles from "./FirstSteps.module.css";

/** What to do on a server where nobody has logged anything yet; nothing where somebody has. */
export function FirstSteps({ experimentIds }: { experimentIds: bigint[] }) {
  const { data } = useQuery(summariesOfExperimentsQuery(experimentIds));
  if (!data || [...data.values()].some(({ runs }) => runs > 0n)) return null;
  return (
    <section className={styles.steps} aria-label="First steps">
      <h2>Log the first run</h2>
      <LoginFirst />
      <p>
        Put this into a file or a notebook and run it. The experiment comes into this list, and its charts grow as it
        logs.
      </p>
      <Script title="Python" text={firstRun("first steps")} />
      <p>Or take a script that logs to MLflow already, as it is:</p>
      <Script title="Shell" text={FOR_MLFLOW} />
    </section>
  );
}
