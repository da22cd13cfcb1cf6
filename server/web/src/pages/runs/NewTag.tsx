import { useState, type FormEvent } from "react";

import { explain } from "../../api/failures";
import { Button } from "../../parts/Button";
import { Dialog } from "../../parts/Dialog";
import { Field } from "../../parts/Field";

interface Props {
  title: string;
  answer: (key: string, value: string) => Promise<unknown>;
  onClose: () => void;
}

/** Asks for a tag, and closes when it was taken. */
export function NewTag({ title, answer, onClose }: Props) {
  const [key, setKey] = useState("");
  const [value, setValue] = useState("");
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    answer(key.trim(), value).then(onClose, (error: unknown) => {
      setBusy(false);
      setProblem(explain(error));
    });
  };
  return (
    <Dialog
      open
      title={title}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" form="new-tag" disabled={busy || !key.trim()}>
            Tag
          </Button>
        </>
      }
    >
      <form id="new-tag" onSubmit={submit}>
        <Field
          label="Key"
          autoFocus
          maxLength={250}
          value={key}
          problem={problem}
          onChange={(e) => setKey(e.target.value)}
        />
        <Field label="Value" maxLength={8_000} value={value} onChange={(e) => setValue(e.target.value)} />
      </form>
    </Dialog>
  );
}
