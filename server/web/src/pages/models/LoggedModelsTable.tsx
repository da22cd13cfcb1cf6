import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { fullNumber, shortNumber } from "../../format/numbers";
import type { LoggedModel } from "../../gen/stepwell_api/v1/models_pb";
import { Time } from "../../parts/Time";
import { latestOf, metricKeys } from "../../models/measured";
import { runNamesQuery } from "../../queries/models";
import { keyId } from "../../table/columns";
import table from "../ExperimentsTable.module.css";
import styles from "./Models.module.css";
import { ModelStatus } from "./ModelStatus";

interface Props {
  experimentId: bigint;
  models: LoggedModel[];
  order: string | undefined;
  descending: boolean;
  onOrder: (field: string) => void;
}

/** Models as rows, the metrics that were measured of them as columns; a click on a heading sorts. */
export function LoggedModelsTable({ experimentId, models, order, descending, onOrder }: Props) {
  const keys = metricKeys(models);
  const names = useQuery(runNamesQuery(experimentId, models.map(({ sourceRunId }) => sourceRunId).filter(Boolean)));
  const heading = (field: string, title: string) => (
    <th key={field} scope="col" aria-sort={order !== field ? undefined : descending ? "descending" : "ascending"}>
      <button type="button" className={styles.head} title={title} onClick={() => onOrder(field)}>
        {title} {order === field && (descending ? "↓" : "↑")}
      </button>
    </th>
  );
  return (
    <div className={styles.scroll}>
      <table className={table.table}>
        <thead>
          <tr>
            {heading("name", "Name")}
            <th scope="col">Run</th>
            <th scope="col">Status</th>
            {keys.map((key) => heading(keyId("metrics", key), key))}
            {heading("creation_timestamp", "Created")}
          </tr>
        </thead>
        <tbody>
          {models.map((model) => (
            <tr key={model.modelId}>
              <td>
                <Link
                  to="/experiments/$experimentId/models/$modelId"
                  params={{ experimentId: String(model.experimentId), modelId: model.modelId }}
                  className={table.name}
                >
                  {model.name}
                </Link>
              </td>
              <td>
                {model.sourceRunId ? (
                  <Link
                    to="/experiments/$experimentId/runs/$runId"
                    params={{ experimentId: String(model.experimentId), runId: model.sourceRunId }}
                    className={styles.run}
                    title={names.data?.get(model.sourceRunId)}
                  >
                    {names.data?.get(model.sourceRunId) || model.sourceRunId.slice(0, 8)}
                  </Link>
                ) : (
                  "–"
                )}
              </td>
              <td>
                <ModelStatus status={model.status} why={model.statusMessage} />
              </td>
              {keys.map((key) => (
                <Figure key={key} value={latestOf(model, key)} />
              ))}
              <td>
                <Time ms={model.creationTimeMs} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Figure({ value }: { value: number | undefined }) {
  if (value === undefined) return <td>–</td>;
  return <td title={fullNumber(value)}>{shortNumber(value)}</td>;
}
