import { useNavigate } from "@tanstack/react-router";
import { useState, type FormEvent } from "react";

import { Button } from "../parts/Button";
import { Dialog } from "../parts/Dialog";
import { Field, Refused } from "../parts/Field";
import { useSending } from "../parts/useSending";
import { useExperimentChanges } from "../queries/experiments";

/** Asks for the name of a new experiment, creates it and goes there. */
export function NewExperiment({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState("");
  const [artifactLocation, setLocation] = useState("");
  const { create } = useExperimentChanges();
  const { isBusy, problem, send } = useSending();
  const navigate = useNavigate();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const given = { name: name.trim(), artifactLocation: artifactLocation.trim() };
    send(create.mutateAsync(given), ({ experiment }) => {
      onClose();
      void navigate({ to: "/experiments/$experimentId", params: { experimentId: String(experiment?.experimentId) } });
    });
  };
  return (
    <Dialog
      open
      title="New experiment"
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" form="new-experiment" isBusy={isBusy} disabled={!name.trim()}>
            Create
          </Button>
        </>
      }
    >
      <form id="new-experiment" onSubmit={submit}>
        <Field label="Name" autoFocus maxLength={500} value={name} onChange={(event) => setName(event.target.value)} />
        <Field
          label="Artifact location"
          hint="Where files of its runs go, if not to the server's own place: s3://bucket/prefix or file:///folder"
          value={artifactLocation}
          onChange={(event) => setLocation(event.target.value)}
        />
        <Refused problem={problem} />
      </form>
    </Dialog>
  );
}
