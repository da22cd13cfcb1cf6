import { useNavigate } from "@tanstack/react-router";
import { useState, type FormEvent } from "react";

import { Button } from "../../parts/Button";
import { Dialog } from "../../parts/Dialog";
import { Area, Field, Refused } from "../../parts/Field";
import { useSending } from "../../parts/useSending";
import { listed } from "../../models/stages";
import { useRegistryChanges } from "../../queries/registry";

/** Asks for the name of a new registered model, creates it and goes there. */
export function NewModel({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const [stages, setStages] = useState("");
  const { create } = useRegistryChanges("");
  const { isBusy, problem, send } = useSending();
  const navigate = useNavigate();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const given = { name: name.trim(), description, customStages: listed(stages) };
    send(create.mutateAsync(given), ({ registeredModel }) => {
      onClose();
      void navigate({ to: "/models/$name", params: { name: registeredModel?.name ?? "" } });
    });
  };
  return (
    <Dialog
      open
      title="New model"
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" form="new-model" isBusy={isBusy} disabled={!name.trim()}>
            Create
          </Button>
        </>
      }
    >
      <form id="new-model" onSubmit={submit}>
        <Field label="Name" autoFocus maxLength={500} value={name} onChange={(event) => setName(event.target.value)} />
        <Area
          label="Description"
          rows={4}
          maxLength={20_000}
          hint="Markdown"
          value={description}
          onChange={(event) => setDescription(event.target.value)}
        />
        <Field
          label="Stages of its own"
          hint="Beside None, Staging, Production and Archived; with commas between them"
          value={stages}
          onChange={(event) => setStages(event.target.value)}
        />
        <Refused problem={problem} />
      </form>
    </Dialog>
  );
}
