import { useQueries } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";

import { isMissing } from "../../api/failures";
import { fullNumber, shortNumber, wholeNumber } from "../../format/numbers";
import { LoggedModelStatus } from "../../gen/stepwell_api/v1/models_pb";
import type { Run } from "../../gen/stepwell_api/v1/runs_pb";
import { Button } from "../../parts/Button";
import { modelQuery } from "../../queries/models";
import lists from "../models/Models.module.css";
import { ModelStatus } from "../models/ModelStatus";
import styles from "./RunPage.module.css";

const SHOWN_MAX = 20;
const METRICS_SHOWN = 2;

interface Linked {
  modelId: string;
  step?: bigint;
}

/** The models that a run made, the latest step first, and those that it used. */
export function Models({ run }: { run: Run }) {
  const made = [...run.modelOutputs].reverse();
  if (made.length + run.modelInputs.length === 0) return null;
  return (
    <section className={styles.box} aria-label="Models">
      <header>
        <h2>
          Models <small>{wholeNumber(made.length + run.modelInputs.length)}</small>
        </h2>
        {made.length > 1 && (
          <span>
            <OfRun run={run}>Table</OfRun> ·{" "}
            <OfRun run={run} tab="charts">
              Charts by step
            </OfRun>
          </span>
        )}
      </header>
      <Listed run={run} linked={made} />
      {run.modelInputs.length > 0 && <h3>Used</h3>}
      <Listed run={run} linked={run.modelInputs} />
    </section>
  );
}

/** A link to the models of the experiment that are of this run. */
function OfRun({ run, tab, children }: { run: Run; tab?: "charts"; children: string }) {
  return (
    <Link
      to="/experiments/$experimentId/models"
      params={{ experimentId: String(run.info?.experimentId) }}
      search={{ q: `source_run_id = '${run.info?.runId}'`, tab }}
    >
      {children}
    </Link>
  );
}

function Listed({ run, linked }: { run: Run; linked: Linked[] }) {
  const [shown, setShown] = useState(SHOWN_MAX);
  const models = useQueries({ queries: linked.slice(0, shown).map(({ modelId }) => modelQuery(modelId)) });
  return (
    <>
      <ul className={lists.list}>
        {linked.slice(0, shown).map(({ modelId, step }, place) => {
          const model = models[place]?.data;
          return (
            <li key={modelId}>
              <Link
                to="/experiments/$experimentId/models/$modelId"
                params={{ experimentId: String(model?.experimentId ?? run.info?.experimentId), modelId }}
              >
                {model?.name ?? modelId}
              </Link>
              {step !== undefined && <small>step {wholeNumber(step)}</small>}
              {model?.metrics.slice(0, METRICS_SHOWN).map(({ key, value, datasetName, runId }) => (
                <small key={`${key} ${datasetName} ${runId}`} title={fullNumber(value)}>
                  {key} <b>{shortNumber(value)}</b>
                </small>
              ))}
              {model?.status === LoggedModelStatus.READY ? null : model ? (
                <ModelStatus status={model.status} why={model.statusMessage} />
              ) : (
                isMissing(models[place]?.error) && <small>deleted</small>
              )}
            </li>
          );
        })}
      </ul>
      {linked.length > shown && (
        <Button onClick={() => setShown(shown + SHOWN_MAX)}>Show more of {wholeNumber(linked.length)}</Button>
      )}
    </>
  );
}
