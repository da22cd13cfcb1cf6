import { useState, type FormEvent } from "react";

import { Button } from "../../parts/Button";
import { Dialog } from "../../parts/Dialog";
import { Field } from "../../parts/Field";
import { say } from "../../parts/toast";
import { useSending } from "../../parts/useSending";
import { useAccountChanges } from "../../queries/accounts";

/** Gives an account a new password; its browsers have to sign in again. */
export function SetPassword({ name, onClose }: { name: string; onClose: () => void }) {
  const [password, setPassword] = useState("");
  const { setPassword: change } = useAccountChanges();
  const { isBusy, problem, send } = useSending();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const answer = change
      .mutateAsync({ name, password })
      .then(() => say(`${name} has a new password, and is signed out everywhere`));
    send(answer, onClose);
  };
  return (
    <Dialog
      open
      title={`Password of ${name}`}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" form="set-password" isBusy={isBusy} disabled={!password}>
            Set
          </Button>
        </>
      }
    >
      <form id="set-password" onSubmit={submit}>
        <Field
          label="New password"
          type="password"
          autoFocus
          autoComplete="new-password"
          value={password}
          problem={problem}
          onChange={(event) => setPassword(event.target.value)}
        />
      </form>
    </Dialog>
  );
}
