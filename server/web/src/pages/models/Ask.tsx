import { useId, useState, type FormEvent, type ReactNode } from "react";

import { authorName, NAME_CHARS_MAX, rememberAuthor } from "../../models/author";
import { Button } from "../../parts/Button";
import { Dialog } from "../../parts/Dialog";
import { Field } from "../../parts/Field";
import { useSending } from "../../parts/useSending";
import { usePerson } from "../../queries/session";
import styles from "./Models.module.css";

const COMMENT_CHARS_MAX = 2_000;

interface Props {
  title: string;
  verb: string;
  danger?: boolean;
  isReady?: boolean;
  /** The comment is kept in the history. */
  hasComment?: boolean;
  act: (comment: string) => Promise<unknown>;
  onClose: () => void;
  children: ReactNode;
}

/** Asks before a change of the registry: who makes it, and why. A refusal stays in the window, in the server's words. */
export function Ask({ title, verb, danger, isReady = true, hasComment, act, onClose, children }: Props) {
  const id = useId();
  const person = usePerson(); // whom the server knows, it writes into the history by itself
  const [who, setWho] = useState(authorName);
  const [comment, setComment] = useState("");
  const { isBusy, problem, send } = useSending();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!person) rememberAuthor(who);
    send(act(comment), onClose);
  };
  return (
    <Dialog
      open
      title={title}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind={danger ? "danger" : "primary"} type="submit" form={id} isBusy={isBusy} disabled={!isReady}>
            {verb}
          </Button>
        </>
      }
    >
      <form id={id} className={styles.form} onSubmit={submit}>
        {children}
        {hasComment && (
          <Field
            label="Why"
            maxLength={COMMENT_CHARS_MAX}
            placeholder="for the history"
            value={comment}
            onChange={(event) => setComment(event.target.value)}
          />
        )}
        {!person && (
          <Field
            label="Your name"
            maxLength={NAME_CHARS_MAX}
            placeholder="for the history; kept in this browser"
            value={who}
            onChange={(event) => setWho(event.target.value)}
          />
        )}
        {problem && (
          <p role="alert" className={styles.problem}>
            {problem}
          </p>
        )}
      </form>
    </Dialog>
  );
}
