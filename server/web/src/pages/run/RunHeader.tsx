import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";

import { LifecycleStage, RunStatus, type Run } from "../../gen/stepwell_api/v1/runs_pb";
import { Button } from "../../parts/Button";
import { DotsIcon } from "../../parts/icons";
import { copy } from "../../parts/copy";
import { Menu } from "../../parts/Menu";
import { Status } from "../../parts/Status";
import { say, told } from "../../parts/toast";
import { useTitle } from "../../parts/useTitle";
import { experimentQuery } from "../../queries/experiments";
import { isRunning, useRunEdits } from "../../queries/run";
import { AskText } from "../../parts/AskText";
import { useMay } from "../access/may";
import { lastView } from "../runs/lastViews";
import styles from "./RunPage.module.css";

/** What a run that is running can be said to be; whoever still logs to it goes on. */
const ENDS: [string, RunStatus][] = [
  ["Mark as finished", RunStatus.FINISHED],
  ["Mark as failed", RunStatus.FAILED],
  ["Mark as killed", RunStatus.KILLED],
];

export function RunHeader({ run }: { run: Run }) {
  const info = run.info;
  const experiment = useQuery(experimentQuery(info?.experimentId ?? 0n));
  const { rename, end, remove, restore } = useRunEdits(run);
  const [renaming, setRenaming] = useState(false);
  const may = useMay();
  useTitle(info?.name);
  if (!info) return null;
  const isDeleted = info.lifecycleStage === LifecycleStage.DELETED;
  const finish = (status: RunStatus) => told(end.mutateAsync(status));
  const bringBack = () => told(restore.mutateAsync(undefined), () => say(`${info.name} is back`));
  const takeAway = () => told(remove.mutateAsync(undefined), () => say(`${info.name} is deleted`, bringBack));
  return (
    <header className={styles.header}>
      <Link
        to="/experiments/$experimentId"
        params={{ experimentId: String(info.experimentId) }}
        search={lastView([info.experimentId])}
      >
        {experiment.data?.name ?? "Experiment"}
      </Link>
      <span aria-hidden="true">/</span>
      <h1 title={info.name}>{info.name}</h1>
      <Status status={info.status} />
      {isDeleted && <span className={styles.deleted}>deleted</span>}
      <span className={styles.space} />
      <Menu
        trigger={<Button kind="quiet" icon={<DotsIcon />} aria-label="Actions for the run" />}
        items={
          !may.write
            ? [{ label: "Copy id", act: () => copy(info.runId) }]
            : isDeleted
              ? [
                  { label: "Restore", act: bringBack },
                  { label: "Copy id", act: () => copy(info.runId) },
                ]
              : [
                  { label: "Rename", act: () => setRenaming(true) },
                  ...(isRunning(run) ? ENDS.map(([label, status]) => ({ label, act: () => finish(status) })) : []),
                  { label: "Copy id", act: () => copy(info.runId) },
                  { label: "Delete", act: takeAway, danger: true },
                ]
        }
      />
      {renaming && (
        <AskText
          title="Rename run"
          label="Name"
          verb="Rename"
          value={info.name}
          answer={(name) => rename.mutateAsync(name)}
          onClose={() => setRenaming(false)}
        />
      )}
    </header>
  );
}
