import { useState } from "react";

import type { Experiment } from "../../gen/stepwell_api/v1/runs_pb";
import { AskText } from "../../parts/AskText";
import { Button } from "../../parts/Button";
import { CloseIcon, PencilIcon, PlusIcon } from "../../parts/icons";
import { Markdown } from "../../parts/Markdown";
import { Time } from "../../parts/Time";
import { told } from "../../parts/toast";
import { NOTE_TAG, useExperimentChanges } from "../../queries/experiments";
import { useMay } from "../access/may";
import styles from "./About.module.css";
import { NewTag } from "./NewTag";

/** What an experiment is: its description, tags, times and place of artifacts. */
export function About({ experiment }: { experiment: Experiment }) {
  const { update, deleteTag } = useExperimentChanges();
  const [asking, setAsking] = useState<"note" | "tag" | null>(null);
  const may = useMay();
  const { experimentId } = experiment;
  const note = experiment.tags.find((tag) => tag.key === NOTE_TAG)?.value ?? "";
  const tags = experiment.tags.filter((tag) => !tag.key.startsWith("mlflow."));
  return (
    <section className={styles.about} aria-label="About the experiment">
      <div className={styles.note}>
        {note ? <Markdown text={note} /> : <p>No description yet.</p>}
        {may.write && (
          <Button
            kind="quiet"
            icon={<PencilIcon />}
            aria-label="Edit the description"
            onClick={() => setAsking("note")}
          />
        )}
      </div>
      <dl>
        <dt>Id</dt>
        <dd>{String(experimentId)}</dd>
        <dt>Created</dt>
        <dd>
          <Time ms={experiment.creationTimeMs} />
        </dd>
        <dt>Artifacts</dt>
        <dd className={styles.place}>{experiment.artifactLocation}</dd>
        <dt>Tags</dt>
        <dd className={styles.tags}>
          {tags.map((tag) => (
            <span key={tag.key} title={`${tag.key}: ${tag.value}`}>
              {tag.key}: {tag.value}
              {may.write && (
                <button
                  type="button"
                  aria-label={`Remove the tag ${tag.key}`}
                  onClick={() => told(deleteTag.mutateAsync({ experimentId, key: tag.key }))}
                >
                  <CloseIcon size={10} />
                </button>
              )}
            </span>
          ))}
          {may.write && (
            <Button
              kind="quiet"
              icon={<PlusIcon size={12} />}
              aria-label="Add a tag"
              onClick={() => setAsking("tag")}
            />
          )}
        </dd>
      </dl>
      {asking === "note" && (
        <AskText
          title="Description"
          label="Markdown"
          verb="Save"
          value={note}
          long
          mayBeEmpty
          answer={(value) => update.mutateAsync({ experimentId, tags: [{ key: NOTE_TAG, value }] })}
          onClose={() => setAsking(null)}
        />
      )}
      {asking === "tag" && (
        <NewTag
          title="Tag the experiment"
          answer={(key, value) => update.mutateAsync({ experimentId, tags: [{ key, value }] })}
          onClose={() => setAsking(null)}
        />
      )}
    </section>
  );
}
