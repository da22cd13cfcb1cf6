import { useQuery } from "@tanstack/react-query";

import type { Run } from "../../gen/stepwell_api/v1/runs_pb";
import { NOTE_TAG } from "../../queries/experiments";
import { isRunning, summariesQuery, useRunEdits } from "../../queries/run";
import { Datasets } from "./Datasets";
import { Description } from "./Description";
import { Details } from "./Details";
import { MetricsTable } from "./MetricsTable";
import { Models } from "./Models";
import { ParamsTable } from "./ParamsTable";
import styles from "./RunPage.module.css";
import { Tags } from "./Tags";
import { Troubles, useTroublesKnown } from "./Troubles";
import { Writers } from "./Writers";

/** What the run is, and what went in and came out. */
export function Overview({ run }: { run: Run }) {
  const { tag, untag } = useRunEdits(run);
  const note = run.tags.find(({ key }) => key === NOTE_TAG)?.value ?? "";
  const summaries = useQuery(summariesQuery(run.info?.runId ?? "", isRunning(run)));
  const isKnown = useTroublesKnown(run);
  return (
    // What stands on top is not to push down what is read already.
    <div className={styles.overview} style={isKnown ? undefined : { visibility: "hidden" }}>
      <Troubles run={run} />
      <div className={styles.column}>
        <Description note={note} save={(value) => tag.mutateAsync({ key: NOTE_TAG, value })} />
        <MetricsTable run={run} summaries={summaries.data} />
        <ParamsTable params={run.params} />
      </div>
      <div className={styles.column}>
        <Details run={run} />
        <Tags tags={run.tags} tag={tag} untag={untag} />
        <Models run={run} />
        {run.inputs.length > 0 && <Datasets inputs={run.inputs} />}
        <Writers run={run} />
      </div>
    </div>
  );
}
