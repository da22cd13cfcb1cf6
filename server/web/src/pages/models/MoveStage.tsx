import { useState } from "react";

import type { ModelVersion, RegisteredModel } from "../../gen/stepwell_api/v1/registry_pb";
import { say } from "../../parts/toast";
import { useRegistryChanges } from "../../queries/registry";
import { Ask } from "./Ask";
import styles from "./Models.module.css";

const COMMON = ["None", "Staging", "Production", "Archived"];
/** Where versions are that nobody is to use; what is there is never asked about. */
const RESTING = ["None", "Archived"];

interface Props {
  model: RegisteredModel;
  version: ModelVersion;
  onClose: () => void;
}

/** Moves a version to a stage, and asks what becomes of the versions that are there. */
export function MoveStage({ model, version, onClose }: Props) {
  const { move } = useRegistryChanges(model.name);
  const stages = [...COMMON, ...model.customStages].filter((stage) => stage !== version.stage);
  const [stage, setStage] = useState(stages.find((one) => !RESTING.includes(one)) ?? stages[0] ?? "");
  const [archive, setArchive] = useState(true);
  const there = RESTING.includes(stage) ? undefined : model.latestVersions.find((one) => one.stage === stage);
  const act = async (comment: string) => {
    await move.mutateAsync({
      version: version.version,
      stage,
      archiveExistingVersions: there !== undefined && archive,
      expectVersionInStage: RESTING.includes(stage) ? undefined : (there?.version ?? 0),
      comment,
    });
    say(`Version ${version.version} is in ${stage}`);
  };
  return (
    <Ask title={`Move version ${version.version}`} verb="Move" hasComment act={act} onClose={onClose}>
      <label className={styles.choice}>
        To the stage
        <select autoFocus value={stage} onChange={(event) => setStage(event.target.value)}>
          {stages.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
      </label>
      {there && (
        <label>
          <input type="checkbox" checked={archive} onChange={(event) => setArchive(event.target.checked)} />
          Archive what is in {stage} now: version {there.version} and any others
        </label>
      )}
    </Ask>
  );
}
