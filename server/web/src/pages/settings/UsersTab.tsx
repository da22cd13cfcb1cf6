import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";

import type { User } from "../../gen/stepwell_api/v1/access_pb";
import { Answer } from "../../parts/Answer";
import { Button } from "../../parts/Button";
import { DotsIcon, PlusIcon } from "../../parts/icons";
import { Menu, type MenuItem } from "../../parts/Menu";
import { Time } from "../../parts/Time";
import { say, told } from "../../parts/toast";
import { accountsQuery, useAccountChanges } from "../../queries/accounts";
import page from "../ExperimentsTable.module.css";
import { DefaultLevel } from "./DefaultLevel";
import { NewToken } from "./NewToken";
import { NewUser } from "./NewUser";
import { Remove } from "./Remove";
import { Secret } from "./Secret";
import { SetPassword } from "./SetPassword";
import styles from "./SettingsTable.module.css";

/** All accounts, of people and of jobs, for admins. */
export function UsersTab({ me }: { me: string }) {
  const found = useInfiniteQuery(accountsQuery);
  const [isCreating, setIsCreating] = useState(false);
  return (
    <section aria-label="Users">
      <div className={styles.bar}>
        <DefaultLevel />
        <Button kind="primary" icon={<PlusIcon />} onClick={() => setIsCreating(true)}>
          New user
        </Button>
      </div>
      <Answer found={found} what="users">
        {(accounts) => (
          <div className={styles.scroll}>
            <table className={page.table}>
              <thead>
                <tr>
                  <th scope="col">Name</th>
                  <th scope="col" className={page.wide}>
                    Groups
                  </th>
                  <th scope="col" className={page.wide}>
                    Signs in by
                  </th>
                  <th scope="col">Last seen</th>
                  <th>
                    <span className={page.unseen}>Actions</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {accounts.map((account) => (
                  <Row key={account.name} account={account} isMe={account.name === me} />
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Answer>
      {isCreating && <NewUser onClose={() => setIsCreating(false)} />}
    </section>
  );
}

type Asking = "password" | "remove" | "token" | { name: string; secret: string };

function Row({ account, isMe }: { account: User; isMe: boolean }) {
  const { change, remove } = useAccountChanges();
  const [asking, setAsking] = useState<Asking | null>(null);
  const { name, isAdmin, isActive, isService } = account;
  const close = () => setAsking(null);
  const set = (what: { isAdmin?: boolean; isActive?: boolean }, done: string) => () =>
    told(change.mutateAsync({ name, ...what }), () => say(done));
  const items: MenuItem[] = [
    ...(isService
      ? [{ label: "New token", act: () => setAsking("token" as const) }]
      : [{ label: "Set the password", act: () => setAsking("password" as const) }]),
    isAdmin
      ? { label: "Take admin away", act: set({ isAdmin: false }, `${name} is no admin any more`) }
      : { label: "Make an admin", act: set({ isAdmin: true }, `${name} is an admin`) },
    ...(isMe
      ? []
      : [
          isActive
            ? { label: "Lock out", act: set({ isActive: false }, `${name} is locked out`) }
            : { label: "Let in again", act: set({ isActive: true }, `${name} may sign in again`) },
          { label: "Remove", act: () => setAsking("remove" as const), danger: true },
        ]),
  ];
  return (
    <tr className={isActive ? "" : styles.gone}>
      <td>
        <span className={styles.name}>{name}</span>
        {isAdmin && <span className={styles.badge}>admin</span>}
        {isService && <span className={`${styles.badge} ${styles.off}`}>service</span>}
        {isMe && <span className={`${styles.badge} ${styles.off}`}>you</span>}
        {!isActive && <span className={`${styles.badge} ${styles.off}`}>locked out</span>}
      </td>
      <td className={`${page.wide} ${styles.soft}`}>{account.groups.join(", ")}</td>
      <td className={`${page.wide} ${styles.soft}`}>
        {isService ? "tokens" : account.hasPassword ? "password" : "single sign-on or tokens"}
      </td>
      <td className={styles.still}>{account.lastUsedTimeMs ? <Time ms={account.lastUsedTimeMs} /> : "never"}</td>
      <td className={page.actions}>
        <Menu trigger={<Button kind="quiet" icon={<DotsIcon />} aria-label={`Actions for ${name}`} />} items={items} />
        {asking === "password" && <SetPassword name={name} onClose={close} />}
        {asking === "token" && (
          <NewToken account={name} onClose={close} onMade={(token, secret) => setAsking({ name: token, secret })} />
        )}
        {asking === "remove" && (
          <Remove
            what={name}
            hint="Their tokens stop working, and what was shared with them is not any more. Their runs stay. The name is free again: whoever gets it is somebody else."
            act={() => remove.mutateAsync(name)}
            onClose={close}
          />
        )}
        {asking && typeof asking === "object" && <Secret {...asking} onClose={close} />}
      </td>
    </tr>
  );
}
