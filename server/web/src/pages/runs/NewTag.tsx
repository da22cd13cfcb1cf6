import { useState, type FormEvent } from "react";

import { Button } from "../../parts/Button";
import { Dialog } from "../../parts/Dialog";
import { Field } from "../../parts/Field";
import { useSending } from "../../parts/useSending";

interface Props {
  title: string;
  answer: (key: string, value: string) => Promise<unknown>;
  onClose: () => void;
}

/** Asks for a tag, and closes when it was taken. */
export function NewTag({ title, answer, onClose }: Props) {
  const [key, setKey] = useState("");
  const [value, setValue] = useState("");
  const { isBusy, problem, send } = useSending();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    send(answer(key.trim(), value), onClose);
  };
  return (
    <Dialog
      open
      title={title}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" form="new-tag" isBusy={isBusy} disabled={!key.trim()}>
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
