import { useState, type FormEvent } from "react";

import { Button } from "./Button";
import { Dialog } from "./Dialog";
import { Area, Field } from "./Field";
import { useSending } from "./useSending";

interface Props {
  title: string;
  label: string;
  verb: string;
  value: string;
  long?: boolean;
  mayBeEmpty?: boolean;
  answer: (text: string) => Promise<unknown>;
  onClose: () => void;
}

/** Asks for a text, and closes when it was taken; a refusal is shown at the field. */
export function AskText({ title, label, verb, value, long, mayBeEmpty, answer, onClose }: Props) {
  const [text, setText] = useState(value);
  const [wasLeft, setWasLeft] = useState(false);
  const { isBusy, problem, send } = useSending();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    send(answer(long ? text : text.trim()), onClose);
  };
  return (
    <Dialog
      open
      wide={long}
      title={title}
      onClose={onClose}
      // What took a while to write is not lost by a key, or by a click beside it.
      onLeave={long && text !== value ? () => setWasLeft(true) : onClose}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" form="ask-text" isBusy={isBusy} disabled={!mayBeEmpty && !text.trim()}>
            {verb}
          </Button>
        </>
      }
    >
      <form id="ask-text" onSubmit={submit}>
        {long ? (
          <Area
            label={label}
            autoFocus
            rows={14}
            value={text}
            problem={problem}
            hint={wasLeft ? `“${verb}” keeps what is written, “Cancel” throws it away.` : undefined}
            onChange={(e) => setText(e.target.value)}
          />
        ) : (
          <Field label={label} autoFocus value={text} problem={problem} onChange={(e) => setText(e.target.value)} />
        )}
      </form>
    </Dialog>
  );
}
