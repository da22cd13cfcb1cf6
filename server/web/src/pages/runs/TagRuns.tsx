import { useState, type FormEvent } from "react";

import { explain } from "../../api/failures";
import { Button } from "../../parts/Button";
import { Dialog } from "../../parts/Dialog";
import { Field } from "../../parts/Field";
import { say } from "../../parts/toast";
import { useRunChanges, type Chosen } from "../../queries/runs";

/** Asks for a tag, and gives it to all selected runs at once. */
export function TagRuns({ chosen, those, onClose }: { chosen: Chosen; those: string; onClose: () => void }) {
  const [key, setKey] = useState("");
  const [value, setValue] = useState("");
  const { tag } = useRunChanges();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    tag.mutate(
      { chosen, key: key.trim(), value },
      { onSuccess: ({ runs }) => (say(`${runs} ${runs === 1n ? "run" : "runs"} tagged`), onClose()) },
    );
  };
  return (
    <Dialog
      open
      title={`Tag ${those}`}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" form="tag-runs" disabled={!key.trim() || tag.isPending}>
            Tag
          </Button>
        </>
      }
    >
      <form id="tag-runs" onSubmit={submit}>
        <Field
          label="Key"
          autoFocus
          maxLength={250}
          value={key}
          problem={tag.isError ? explain(tag.error) : null}
          onChange={(event) => setKey(event.target.value)}
        />
        <Field label="Value" maxLength={8_000} value={value} onChange={(event) => setValue(event.target.value)} />
      </form>
    </Dialog>
  );
}
