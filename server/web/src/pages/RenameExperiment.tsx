import { useState, type FormEvent } from "react";

import { explain } from "../api/failures";
import type { Experiment } from "../gen/stepwell_api/v1/runs_pb";
import { Button } from "../parts/Button";
import { Dialog } from "../parts/Dialog";
import { Field } from "../parts/Field";
import { useExperimentChanges } from "../queries/experiments";

export function RenameExperiment({ experiment, onClose }: { experiment: Experiment; onClose: () => void }) {
  const [name, setName] = useState(experiment.name);
  const { update } = useExperimentChanges();
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    await update.mutateAsync({ experimentId: experiment.experimentId, name: name.trim() });
    onClose();
  };
  return (
    <Dialog
      open
      title="Rename experiment"
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" form="rename-experiment" disabled={!name.trim() || update.isPending}>
            Rename
          </Button>
        </>
      }
    >
      <form id="rename-experiment" onSubmit={(event) => void submit(event).catch(() => undefined)}>
        <Field
          label="Name"
          autoFocus
          maxLength={500}
          value={name}
          problem={update.isError ? explain(update.error) : null}
          onChange={(event) => setName(event.target.value)}
        />
      </form>
    </Dialog>
  );
}
