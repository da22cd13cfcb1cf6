import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";

import { wholeNumber } from "../../format/numbers";
import type { Run } from "../../gen/stepwell_api/v1/runs_pb";
import { Button } from "../../parts/Button";
import { copy } from "../../parts/copy";
import { Duration } from "../../parts/Duration";
import { CopyIcon } from "../../parts/icons";
import { Status } from "../../parts/Status";
import { Time } from "../../parts/Time";
import { CHILDREN_MAX, childrenQuery, isRunning, PARENT_TAG, runQuery, startedIn } from "../../queries/run";
import styles from "./RunPage.module.css";

const CHILDREN_SHOWN = 20;

/** When, who, from where; parents and children. */
export function Details({ run }: { run: Run }) {
  const info = run.info;
  const tags = new Map(run.tags.map((tag) => [tag.key, tag.value]));
  const parent = tags.get(PARENT_TAG);
  const children = useQuery(childrenQuery(info?.experimentId ?? 0n, info?.runId ?? "", isRunning(run)));
  if (!info) return null;
  const source = tags.get("mlflow.source.name");
  const commit = tags.get("mlflow.source.git.commit");
  const found = children.data ?? [];
  return (
    <section className={styles.box}>
      <header>
        <h2>Details</h2>
      </header>
      <dl className={styles.details}>
        <Fact name="Status">
          <Status status={info.status} />
        </Fact>
        <Fact name="Started">
          <Time ms={info.startTimeMs} relative={false} />
        </Fact>
        <Fact name="Duration">
          <Duration info={info} />
        </Fact>
        {info.user && <Fact name="User">{info.user}</Fact>}
        {source && <Fact name="Source">{source}</Fact>}
        {commit && (
          <Fact name="Git commit">
            <Copied text={commit} />
          </Fact>
        )}
        <Fact name="Run id">
          <Copied text={info.runId} />
        </Fact>
        <Fact name="Files at">
          <Copied text={info.artifactUri} />
        </Fact>
        {parent && (
          <Fact name="Parent">
            <RunLink runId={parent} experimentId={info.experimentId} />
          </Fact>
        )}
        {found.length > 0 && (
          <Fact name={`Children (${wholeNumber(found.length)}${found.length < CHILDREN_MAX ? "" : "+"})`}>
            <ul className={styles.children}>
              {found.slice(0, CHILDREN_SHOWN).map((child) => (
                <li key={child.info?.runId}>
                  <Link
                    to="/experiments/$experimentId/runs/$runId"
                    params={{
                      experimentId: String(child.info?.experimentId),
                      runId: child.info?.runId ?? "",
                    }}
                  >
                    {child.info?.name}
                  </Link>
                </li>
              ))}
              {found.length > CHILDREN_SHOWN && (
                <li>
                  <Link
                    to="/experiments/$experimentId"
                    params={{ experimentId: String(info.experimentId) }}
                    search={{ q: startedIn(info.runId) }}
                  >
                    Show all
                  </Link>
                </li>
              )}
            </ul>
          </Fact>
        )}
      </dl>
    </section>
  );
}

/** One line of a list of details. */
export function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** An id or a place in one line, with a button that copies all of it. */
export function Copied({ text }: { text: string }) {
  return (
    <span className={styles.copied}>
      <code title={text}>{text}</code>
      <Button kind="quiet" icon={<CopyIcon size={13} />} aria-label={`Copy ${text}`} onClick={() => copy(text)} />
    </span>
  );
}

/** The name of a run as a link to it. */
export function RunLink({ runId, experimentId = 0n }: { runId: string; experimentId?: bigint }) {
  const run = useQuery(runQuery(runId));
  const info = run.data?.info;
  return (
    <Link
      to="/experiments/$experimentId/runs/$runId"
      params={{ experimentId: String(info?.experimentId ?? experimentId), runId }}
    >
      {info?.name ?? runId}
    </Link>
  );
}
