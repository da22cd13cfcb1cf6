import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";

import { fullNumber, shortNumber } from "../format/numbers";
import { Failure, Loading } from "../parts/Notice";
import { Status } from "../parts/Status";
import { runQuery } from "../queries/runs";
import styles from "./ExperimentsPage.module.css";
import table from "./ExperimentsTable.module.css";

const route = getRouteApi("/experiments/$experimentId/runs/$runId");

export function RunPage() {
  const { runId } = route.useParams();
  const { data: run, isPending, error } = useQuery(runQuery(runId));
  if (isPending) return <Loading what="the run" />;
  if (!run?.info) return <Failure error={error} />;
  return (
    <div className={styles.page}>
      <header className={styles.header}>
        <h1>{run.info.name}</h1>
        <Status status={run.info.status} />
      </header>
      <table className={table.table}>
        <tbody>
          {run.params.map((param) => (
            <tr key={param.key}>
              <th scope="row">{param.key}</th>
              <td>{param.value}</td>
            </tr>
          ))}
          {run.metrics.map((metric) => (
            <tr key={metric.key}>
              <th scope="row">{metric.key}</th>
              <td title={fullNumber(metric.value)}>{shortNumber(metric.value)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
