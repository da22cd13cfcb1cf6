import { Link } from "@tanstack/react-router";
import { useState } from "react";

import type { Experiment } from "../gen/stepwell_api/v1/runs_pb";
import { Button } from "../parts/Button";
import { DotsIcon } from "../parts/icons";
import { Menu } from "../parts/Menu";
import { Time } from "../parts/Time";
import { complain, say } from "../parts/toast";
import { NOTE_TAG, useExperimentChanges } from "../queries/experiments";
import styles from "./ExperimentsTable.module.css";
import { RenameExperiment } from "./RenameExperiment";

const DEFAULT_ID = 0n;

export function ExperimentsTable({ experiments, deleted }: { experiments: Experiment[]; deleted: boolean }) {
  return (
    <table className={styles.table}>
      <thead>
        <tr>
          <th scope="col">Name</th>
          <th scope="col" className={styles.wide}>
            Tags
          </th>
          <th scope="col">Last change</th>
          <th scope="col" className={styles.wide}>
            Created
          </th>
          <th aria-label="Actions" />
        </tr>
      </thead>
      <tbody>
        {experiments.map((experiment) => (
          <Row key={String(experiment.experimentId)} experiment={experiment} deleted={deleted} />
        ))}
      </tbody>
    </table>
  );
}

function Row({ experiment, deleted }: { experiment: Experiment; deleted: boolean }) {
  const { remove, restore } = useExperimentChanges();
  const [renaming, setRenaming] = useState(false);
  const id = experiment.experimentId;
  const putBack = () => restore.mutate(id, { onError: complain, onSuccess: () => say(`${experiment.name} is back`) });
  const takeAway = () =>
    remove.mutate(id, { onError: complain, onSuccess: () => say(`${experiment.name} is deleted`, putBack) });
  const note = experiment.tags.find((tag) => tag.key === NOTE_TAG)?.value;
  return (
    <tr>
      <td>
        <Link to="/experiments/$experimentId" params={{ experimentId: String(id) }} className={styles.name}>
          {experiment.name}
        </Link>
        {note && <p className={styles.note}>{note.split("\n")[0]}</p>}
      </td>
      <td className={styles.wide}>
        {experiment.tags
          .filter((tag) => !tag.key.startsWith("mlflow."))
          .map((tag) => (
            <span key={tag.key} className={styles.tag} title={`${tag.key}: ${tag.value}`}>
              {tag.key}: {tag.value}
            </span>
          ))}
      </td>
      <td>
        <Time ms={experiment.lastUpdateTimeMs} />
      </td>
      <td className={styles.wide}>
        <Time ms={experiment.creationTimeMs} />
      </td>
      <td className={styles.actions}>
        <Menu
          trigger={<Button kind="quiet" icon={<DotsIcon />} aria-label={`Actions for ${experiment.name}`} />}
          items={
            deleted
              ? [{ label: "Restore", act: putBack }]
              : [
                  { label: "Rename", act: () => setRenaming(true) },
                  { label: "Delete", act: takeAway, danger: true, disabled: id === DEFAULT_ID },
                ]
          }
        />
        {renaming && <RenameExperiment experiment={experiment} onClose={() => setRenaming(false)} />}
      </td>
    </tr>
  );
}
