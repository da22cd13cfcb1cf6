import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import type { Run } from "../../gen/stepwell_api/v1/runs_pb";
import { AskText } from "../../parts/AskText";
import { Button } from "../../parts/Button";
import { PencilIcon } from "../../parts/icons";
import { Markdown } from "../../parts/Markdown";
import { NOTE_TAG } from "../../queries/experiments";
import { isRunning, summariesQuery, useRunEdits } from "../../queries/run";
import { Datasets } from "./Datasets";
import { Details } from "./Details";
import { MetricsTable } from "./MetricsTable";
import { ParamsTable } from "./ParamsTable";
import styles from "./RunPage.module.css";
import { Tags } from "./Tags";
import { Writers } from "./Writers";

/** What the run is, and what went in and came out. */
export function Overview({ run }: { run: Run }) {
  const summaries = useQuery(summariesQuery(run.info?.runId ?? "", isRunning(run)));
  return (
    <div className={styles.overview}>
      <div className={styles.column}>
        <Description run={run} />
        <MetricsTable run={run} summaries={summaries.data ?? []} />
        <ParamsTable params={run.params} />
      </div>
      <div className={styles.column}>
        <Details run={run} />
        <Tags run={run} />
        {run.inputs.length > 0 && <Datasets inputs={run.inputs} />}
        <Writers run={run} />
      </div>
    </div>
  );
}

function Description({ run }: { run: Run }) {
  const note = run.tags.find((tag) => tag.key === NOTE_TAG)?.value ?? "";
  const { tag } = useRunEdits(run);
  const [editing, setEditing] = useState(false);
  return (
    <section className={styles.box}>
      <header>
        <h2>Description</h2>
        <Button kind="quiet" icon={<PencilIcon />} aria-label="Edit the description" onClick={() => setEditing(true)} />
      </header>
      {note ? <Markdown text={note} /> : <p className={styles.nothing}>None yet.</p>}
      {editing && (
        <AskText
          title="Description"
          label="Markdown"
          verb="Save"
          value={note}
          long
          mayBeEmpty
          answer={(value) => tag.mutateAsync({ key: NOTE_TAG, value })}
          onClose={() => setEditing(false)}
        />
      )}
    </section>
  );
}
