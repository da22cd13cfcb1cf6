import { useState, type FormEvent } from "react";

import { Button } from "../../parts/Button";
import { Choice } from "../../parts/Choice";
import { Dialog } from "../../parts/Dialog";
import { Field } from "../../parts/Field";
import { useSending } from "../../parts/useSending";
import { useAccountChanges } from "../../queries/accounts";
import styles from "./SettingsTable.module.css";

const KINDS = [
  ["person", "a person"],
  ["service", "a job or service"],
] as const;

/** Asks who is to be let in. */
export function NewUser({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState("");
  const [kind, setKind] = useState<"person" | "service">("person");
  const [password, setPassword] = useState("");
  const [isAdmin, setIsAdmin] = useState(false);
  const { add } = useAccountChanges();
  const { isBusy, problem, send } = useSending();
  const isPerson = kind === "person";
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const given = {
      name: name.trim(),
      isService: !isPerson,
      password: isPerson ? password : "",
      isAdmin,
    };
    send(add.mutateAsync(given), onClose);
  };
  return (
    <Dialog
      open
      title="New user"
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button
            kind="primary"
            type="submit"
            form="new-user"
            isBusy={isBusy}
            disabled={!name.trim() || (isPerson && !password)}
          >
            Create
          </Button>
        </>
      }
    >
      <form id="new-user" onSubmit={submit}>
        <Choice label="It is for" options={KINDS} value={kind} onChange={setKind} />
        <Field
          label="Name"
          autoFocus
          autoComplete="off"
          maxLength={250}
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
        {isPerson && (
          <Field
            label="Password"
            type="password"
            autoComplete="new-password"
            hint="Tell it to them by a safe way. Who comes by single sign-on needs no account made here."
            value={password}
            onChange={(event) => setPassword(event.target.value)}
          />
        )}
        <fieldset className={styles.checks}>
          <label>
            <input type="checkbox" checked={isAdmin} onChange={(event) => setIsAdmin(event.target.checked)} />
            An admin, who may do everything
          </label>
        </fieldset>
        {problem && (
          <p role="alert" className={styles.problem}>
            {problem}
          </p>
        )}
      </form>
    </Dialog>
  );
}
