import { Link } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";

import type { Experiment } from "../gen/stepwell_api/v1/runs_pb";
import { wholeNumber } from "../format/numbers";
import type { ExperimentSummary } from "../gen/stepwell_api/v1/search_pb";
import { Button } from "../parts/Button";
import { DotsIcon } from "../parts/icons";
import { Menu } from "../parts/Menu";
import { Time } from "../parts/Time";
import { say, told } from "../parts/toast";
import { firstLine } from "../format/markdown";
import { NOTE_TAG, summariesOfExperimentsQuery, useExperimentChanges } from "../queries/experiments";
import styles from "./ExperimentsTable.module.css";
import { useMayEach, type May } from "./access/may";
import { ShareExperiment } from "./access/ShareExperiment";
import { RenameExperiment } from "./RenameExperiment";

const DEFAULT_ID = 0n;
// The server tells the numbers of as many at once.
const SUMMARIES_MAX = 1_000;

const latest = (a: bigint, b: bigint): bigint => (a > b ? a : b);

interface Props {
  experiments: Experiment[];
  deleted: boolean;
  selected: ReadonlySet<string>;
  onSelect: (id: string, selected: boolean) => void;
}

export function ExperimentsTable({ experiments, deleted, selected, onSelect }: Props) {
  const ids = useMemo(() => experiments.map((one) => one.experimentId).slice(0, SUMMARIES_MAX), [experiments]);
  const { data: summaries } = useQuery(summariesOfExperimentsQuery(ids));
  const mayOf = useMayEach(ids);
  const isAll = experiments.every((one) => selected.has(String(one.experimentId)));
  return (
    <table className={styles.table}>
      <thead>
        <tr>
          <th className={styles.check}>
            <input
              type="checkbox"
              aria-label="Select all experiments that are shown"
              checked={isAll}
              onChange={() => experiments.forEach((one) => onSelect(String(one.experimentId), !isAll))}
            />
          </th>
          <th scope="col">Name</th>
          <th scope="col" className={`${styles.wide} ${styles.tags}`}>
            Tags
          </th>
          <th scope="col" className={styles.figure}>
            Runs
          </th>
          <th scope="col">Last activity</th>
          <th scope="col" className={styles.wide}>
            Created
          </th>
          <th>
            <span className={styles.unseen}>Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {experiments.map((experiment) => (
          <Row
            key={String(experiment.experimentId)}
            experiment={experiment}
            deleted={deleted}
            may={mayOf(experiment.experimentId)}
            summary={summaries?.get(experiment.experimentId)}
            isSelected={selected.has(String(experiment.experimentId))}
            onSelect={onSelect}
          />
        ))}
      </tbody>
    </table>
  );
}

interface RowProps {
  experiment: Experiment;
  deleted: boolean;
  may: May;
  summary: ExperimentSummary | undefined;
  isSelected: boolean;
  onSelect: Props["onSelect"];
}

function Row({ experiment, deleted, may, summary, isSelected, onSelect }: RowProps) {
  const { remove, restore } = useExperimentChanges();
  const [asking, setAsking] = useState<"name" | "share" | null>(null);
  const id = experiment.experimentId;
  const putBack = () => told(restore.mutateAsync(id), () => say(`${experiment.name} is back`));
  const takeAway = () => told(remove.mutateAsync(id), () => say(`${experiment.name} is deleted`, putBack));
  const note = experiment.tags.find((tag) => tag.key === NOTE_TAG)?.value;
  return (
    <tr>
      <td className={styles.check}>
        <input
          type="checkbox"
          aria-label={`Select ${experiment.name}`}
          checked={isSelected}
          onChange={(event) => onSelect(String(id), event.target.checked)}
        />
      </td>
      <td>
        <Link
          to="/experiments/$experimentId"
          params={{ experimentId: String(id) }}
          className={styles.name}
          title={experiment.name}
        >
          {experiment.name}
        </Link>
        {note && <p className={styles.note}>{firstLine(note)}</p>}
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
      <td className={styles.figure}>
        {summary && wholeNumber(summary.runs)}
        {summary && summary.running > 0n && <small title="At work">{wholeNumber(summary.running)} running</small>}
      </td>
      <td className={styles.time}>
        <Time ms={latest(experiment.lastUpdateTimeMs, summary?.lastChangeMs ?? 0n)} />
      </td>
      <td className={`${styles.wide} ${styles.time}`}>
        <Time ms={experiment.creationTimeMs} />
      </td>
      <td className={styles.actions}>
        {may.manage && (
          <Menu
            trigger={<Button kind="quiet" icon={<DotsIcon />} aria-label={`Actions for ${experiment.name}`} />}
            items={
              deleted
                ? [{ label: "Restore", act: putBack }]
                : [
                    { label: "Rename", act: () => setAsking("name") },
                    ...(may.share ? [{ label: "Share", act: () => setAsking("share") }] : []),
                    { label: "Delete", act: takeAway, danger: true, disabled: id === DEFAULT_ID },
                  ]
            }
          />
        )}
        {asking === "name" && <RenameExperiment experiment={experiment} onClose={() => setAsking(null)} />}
        {asking === "share" && <ShareExperiment experiment={experiment} onClose={() => setAsking(null)} />}
      </td>
    </tr>
  );
}
