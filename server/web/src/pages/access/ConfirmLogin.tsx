import { getRouteApi, Link } from "@tanstack/react-router";
import { useMutation } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";

import { explain } from "../../api/failures";
import { askJson } from "../../api/json";
import { Button } from "../../parts/Button";
import { Field } from "../../parts/Field";
import { usePerson } from "../../queries/session";
import styles from "./SignIn.module.css";

const route = getRouteApi("/login/$code");
const NAME_CHARS_MAX = 100;

/** Asks whether a program that shows a code may have a token of whoever is signed in. */
export function ConfirmLogin() {
  const { code } = route.useParams();
  const { name: given = "" } = route.useSearch();
  const person = usePerson();
  const [name, setName] = useState(given.slice(0, NAME_CHARS_MAX));
  const confirm = useMutation({
    mutationFn: () => askJson("api/stepwell/v1/logins", "POST", { code, name: name.trim() }),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    confirm.mutate();
  };
  if (!person) return null;
  return (
    <div className={styles.page}>
      <section className={styles.card} aria-label="Let a program in">
        {confirm.isSuccess ? (
          <header className={styles.header}>
            <h1>It is signed in</h1>
            <p>The program goes on by itself, as {person.name}. You can close this tab.</p>
            <Link to="/settings" search={{ tab: "tokens" }}>
              My tokens
            </Link>
          </header>
        ) : (
          <>
            <header className={styles.header}>
              <h1>Let a program in?</h1>
              <p>
                Say yes only if you have just started <code>stepwell login</code>, and it shows this code:
              </p>
              <output className={styles.code}>{code}</output>
            </header>
            <form className={styles.form} onSubmit={submit}>
              <Field
                label="Name of its token"
                maxLength={NAME_CHARS_MAX}
                hint={`It may then read and write what ${person.name} may, until you revoke the token.`}
                value={name}
                problem={confirm.isError ? explain(confirm.error) : null}
                onChange={(event) => setName(event.target.value)}
              />
              <Button kind="primary" type="submit" isBusy={confirm.isPending} disabled={!name.trim()}>
                Let it in
              </Button>
            </form>
          </>
        )}
      </section>
    </div>
  );
}
