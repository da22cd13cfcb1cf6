import { useState, type FormEvent } from "react";

import { Button } from "../../parts/Button";
import { Choice } from "../../parts/Choice";
import { Dialog } from "../../parts/Dialog";
import { Field } from "../../parts/Field";
import { useSending } from "../../parts/useSending";
import { DEFAULT_SCOPE, SCOPES, useTokenChanges } from "../../queries/tokens";
import styles from "./SettingsTable.module.css";

const DAY_MS = 86_400_000;
const LIVES = [
  ["30", "in 30 days"],
  ["90", "in 90 days"],
  ["365", "in a year"],
  ["", "never"],
] as const;
const NUMBERS = /^\s*(\d+\s*(,\s*\d+\s*)*)?$/;

interface Props {
  /** Whose it will be, where it is not the caller's own: a service account, as a rule. */
  account?: string;
  onClose: () => void;
  onMade: (name: string, secret: string) => void;
}

/** Asks what a new token may, makes it, and hands its secret on. */
export function NewToken({ account = "", onClose, onMade }: Props) {
  const [name, setName] = useState("");
  const [scope, setScope] = useState(String(DEFAULT_SCOPE));
  const [days, setDays] = useState<string>("90");
  const [only, setOnly] = useState("");
  const { create } = useTokenChanges();
  const { isBusy, problem, send } = useSending();
  const isNumbers = NUMBERS.test(only);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const ids = only.split(",").filter((id) => id.trim());
    const given = {
      account,
      name: name.trim(),
      scope: Number(scope),
      expiresTimeMs: days ? BigInt(Date.now() + Number(days) * DAY_MS) : 0n,
      experimentIds: ids.map((id) => BigInt(id.trim())),
    };
    send(create.mutateAsync(given), ({ secret }) => onMade(given.name, secret));
  };
  return (
    <Dialog
      open
      title={account ? `New token of ${account}` : "New token"}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" form="new-token" isBusy={isBusy} disabled={!name.trim() || !isNumbers}>
            Create
          </Button>
        </>
      }
    >
      <form id="new-token" onSubmit={submit}>
        <Field
          label="Name"
          autoFocus
          maxLength={100}
          placeholder="the job or machine that will use it"
          value={name}
          problem={problem}
          onChange={(event) => setName(event.target.value)}
        />
        <div className={styles.pair}>
          <Choice
            label="It may"
            options={SCOPES.map(([one, text]) => [String(one), text] as const)}
            value={scope}
            onChange={setScope}
          />
          <Choice label="Expires" options={LIVES} value={days} onChange={setDays} />
        </div>
        <Field
          label="Only in these experiments"
          placeholder="all that you may see"
          hint="Their numbers, with commas between them"
          value={only}
          problem={isNumbers ? null : "Numbers of experiments stand in their addresses: 3, 17"}
          onChange={(event) => setOnly(event.target.value)}
        />
      </form>
    </Dialog>
  );
}
