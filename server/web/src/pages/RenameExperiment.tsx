import type { Experiment } from "../gen/stepwell_api/v1/runs_pb";
import { AskText } from "../parts/AskText";
import { useExperimentChanges } from "../queries/experiments";

export function RenameExperiment({ experiment, onClose }: { experiment: Experiment; onClose: () => void }) {
  const { update } = useExperimentChanges();
  return (
    <AskText
      title="Rename experiment"
      label="Name"
      verb="Rename"
      value={experiment.name}
      answer={(name) => update.mutateAsync({ experimentId: experiment.experimentId, name })}
      onClose={onClose}
    />
  );
}
