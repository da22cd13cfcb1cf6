import { useQuery } from "@tanstack/react-query";
import { useId, useState, type FormEvent } from "react";

import { explain, isMissing } from "../../api/failures";
import { Button } from "../../parts/Button";
import { Choice } from "../../parts/Choice";
import { Field } from "../../parts/Field";
import { DEFAULT_SHARED, LEVELS, subjectsQuery, useGrantChanges, type Subject, type Thing } from "../../queries/grants";
import { usePerson } from "../../queries/session";
import styles from "./Share.module.css";

/** Asks with whom to share, and how far. */
export function AddSubject({ thing }: { thing: Thing }) {
  const [name, setName] = useState("");
  const [level, setLevel] = useState(String(DEFAULT_SHARED));
  const list = useId();
  const person = usePerson();
  const known = useQuery({ ...subjectsQuery, enabled: person?.isAdmin ?? false }).data;
  const { grant } = useGrantChanges();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const value = name.trim();
    const to = (kind: "user" | "group") =>
      grant.mutateAsync({ thing, subject: { case: kind, value } satisfies Subject, level: Number(level) });
    // Who is no admin has no list of names; the server knows whether one is a user's or a group's.
    const first = known?.groups.includes(value) && !known.users.includes(value) ? "group" : "user";
    void to(first)
      .catch((error: unknown) => (first === "user" && isMissing(error) ? to("group") : Promise.reject(error)))
      .then(
        () => setName((now) => (now === name ? "" : now)),
        () => undefined,
      );
  };
  return (
    <form className={styles.add} onSubmit={submit}>
      <Field
        label="Share with"
        placeholder="a user or group"
        list={list}
        autoComplete="off"
        autoFocus
        value={name}
        problem={grant.isError && name ? refusal(grant.error, name) : null}
        onChange={(event) => (grant.reset(), setName(event.target.value))}
      />
      <datalist id={list}>
        {[...(known?.groups ?? []), ...(known?.users ?? [])].map((one) => (
          <option key={one} value={one} />
        ))}
      </datalist>
      <Choice
        label="They may"
        options={LEVELS.map(([one, text]) => [String(one), text] as const)}
        value={level}
        onChange={setLevel}
      />
      <Button kind="primary" type="submit" isBusy={grant.isPending} disabled={!name.trim()}>
        Share
      </Button>
    </form>
  );
}

function refusal(error: unknown, name: string): string {
  return isMissing(error) ? `There is no user and no group called ${name}.` : explain(error);
}
