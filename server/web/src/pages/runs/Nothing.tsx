import { HOME } from "../../api/clients";
import { Empty, Failure, Loading } from "../../parts/Notice";
import type { RunsView } from "../../url/runsView";
import styles from "./RunsPage.module.css";
import type { Rows } from "./useRows";

/** What stands in the place of a table without rows. */
export function Nothing({ found, view, name }: { found: Rows; view: RunsView; name: string }) {
  if (found.isPending) return <Loading what="runs" />;
  if (found.error && !view.q) return <Failure error={found.error} retry={found.refetch} />;
  if (found.error) return <Empty title="The filter has a mistake" />;
  if (view.q) return <Empty title="No run fulfils the filter" />;
  if (view.deleted) return <Empty title="No run is deleted" />;
  return (
    <Empty title="No runs yet">
      <pre className={styles.script}>{script(name)}</pre>
    </Empty>
  );
}

const script = (name: string) => `import stepwell

stepwell.set_tracking_uri("${HOME.replace(/\/$/, "")}")
stepwell.set_experiment(${JSON.stringify(name)})

with stepwell.start_run():
    stepwell.log_param("lr", 0.1)
    for step in range(100):
        stepwell.log_metric("loss", 1 / (1 + step), step=step)`;
