import { useState, type FormEvent } from "react";

import { explain } from "../../api/failures";
import { Button } from "../../parts/Button";
import { Field } from "../../parts/Field";
import { providerAddress, useSignIn, type Ways } from "../../queries/session";
import styles from "./SignIn.module.css";

/** Asks who is there: by name and password, a token, or the organisation's provider. */
export function SignIn({ ways, problem }: { ways: Ways; problem: string }) {
  const [isToken, setIsToken] = useState(!ways.password);
  return (
    <main className={styles.page}>
      <div className={styles.card}>
        <header className={styles.header}>
          <img src="./icon.svg" alt="" width="32" height="32" />
          <h1>Sign in to Stepwell</h1>
          <p>{window.location.host}</p>
        </header>
        {problem && (
          <p role="alert" className={styles.said}>
            {problem}
          </p>
        )}
        {ways.provider && (
          <>
            <a className={styles.provider} href={providerAddress(window.location.hash)}>
              Sign in with {ways.provider}
            </a>
            <p className={styles.or} aria-hidden="true">
              or
            </p>
          </>
        )}
        {isToken ? <ByToken /> : <ByPassword />}
        {ways.password && (
          <Button kind="quiet" onClick={() => setIsToken(!isToken)}>
            {isToken ? "Use a password" : "Use a token"}
          </Button>
        )}
      </div>
    </main>
  );
}

function ByPassword() {
  const { signIn } = useSignIn();
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    signIn.mutate({ name: name.trim(), password });
  };
  return (
    <form className={styles.form} onSubmit={submit}>
      <Field
        label="Name"
        autoFocus
        autoComplete="username"
        required
        autoCapitalize="none"
        spellCheck={false}
        value={name}
        onChange={(event) => setName(event.target.value)}
      />
      <Field
        label="Password"
        type="password"
        autoComplete="current-password"
        required
        value={password}
        problem={signIn.isError ? explain(signIn.error) : null}
        onChange={(event) => setPassword(event.target.value)}
      />
      <Button kind="primary" type="submit" isBusy={signIn.isPending}>
        Sign in
      </Button>
    </form>
  );
}

function ByToken() {
  const { signIn } = useSignIn();
  const [token, setToken] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    signIn.mutate({ token: token.trim() });
  };
  return (
    <form className={styles.form} onSubmit={submit}>
      <Field
        label="Token"
        type="password"
        autoFocus
        required
        autoComplete="off"
        hint="The page may then do what the token may."
        value={token}
        problem={signIn.isError ? explain(signIn.error) : null}
        onChange={(event) => setToken(event.target.value)}
      />
      <Button kind="primary" type="submit" isBusy={signIn.isPending}>
        Sign in
      </Button>
    </form>
  );
}
