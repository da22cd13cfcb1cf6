import { useNavigate } from "@tanstack/react-router";

import { Button } from "../../parts/Button";
import { PersonIcon } from "../../parts/icons";
import { Menu, type MenuItem } from "../../parts/Menu";
import { told } from "../../parts/toast";
import { usePerson, useSignIn, type Person } from "../../queries/session";
import styles from "./AccountMenu.module.css";

const WAYS: Record<Person["way"], string> = {
  password: "signed in with a password",
  token: "signed in with a token",
  provider: "signed in by single sign-on",
  proxy: "known by the proxy",
};

/** Who is signed in, and the way out; nothing where the server knows no accounts. */
export function AccountMenu() {
  const person = usePerson();
  const navigate = useNavigate();
  const { signOut } = useSignIn();
  if (!person) return null;
  const leave = (where: "here" | "everywhere") => () => told(signOut.mutateAsync(where));
  const items: MenuItem[] = [
    { label: "My tokens", act: () => void navigate({ to: "/settings", search: { tab: "tokens" } }) },
    // Whom the proxy names is there again with the next request.
    ...(person.way === "proxy"
      ? []
      : [
          { label: "Sign out", act: leave("here") },
          { label: "Sign out everywhere", act: leave("everywhere") },
        ]),
  ];
  return (
    <Menu
      heading={
        <>
          <b>{person.name}</b>
          <small>
            {person.isAdmin && "admin, "}
            {WAYS[person.way]}
          </small>
        </>
      }
      trigger={
        <Button kind="quiet" className={styles.person} icon={<PersonIcon />} aria-label={`Account of ${person.name}`}>
          <span>{person.name}</span>
        </Button>
      }
      items={items}
    />
  );
}
