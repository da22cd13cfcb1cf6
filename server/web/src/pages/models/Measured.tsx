import { fullNumber, shortNumber, wholeNumber } from "../../format/numbers";
import type { LoggedModel } from "../../gen/stepwell_api/v1/models_pb";
import run from "../run/RunPage.module.css";
import { RunLink } from "../run/Details";
import styles from "./Models.module.css";

const SHOWN_MAX = 500;

/** The latest point of each metric that runs measured of a model, by run and data set. */
export function Measured({ model }: { model: LoggedModel }) {
  const { metrics } = model;
  return (
    <section className={run.box} aria-label="Metrics">
      <header>
        <h2>
          Metrics <small>{metrics.length.toLocaleString("en-US")}</small>
        </h2>
      </header>
      {metrics.length === 0 ? (
        <p className={run.nothing}>None. log_metric(…, model_id=…) measures a model.</p>
      ) : (
        <div className={styles.scroll}>
          <table className={run.values}>
            <thead>
              <tr>
                {["Metric", "Latest", "Step", "Data set", "Run"].map((name) => (
                  <th key={name} scope="col">
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {metrics.slice(0, SHOWN_MAX).map((one) => (
                <tr key={`${one.key} ${one.runId} ${one.datasetName} ${one.datasetDigest}`}>
                  <th scope="row">{one.key}</th>
                  <td title={fullNumber(one.value)}>{shortNumber(one.value)}</td>
                  <td>{wholeNumber(one.step)}</td>
                  <td title={one.datasetDigest}>{one.datasetName || "–"}</td>
                  <td>{one.runId ? <RunLink runId={one.runId} /> : "–"}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {metrics.length > SHOWN_MAX && <p className={run.nothing}>{metrics.length - SHOWN_MAX} more.</p>}
    </section>
  );
}
