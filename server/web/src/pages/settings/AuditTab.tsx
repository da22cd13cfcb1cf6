import { useInfiniteQuery } from "@tanstack/react-query";
import { useDeferredValue, useState } from "react";

import type { AuditEntry } from "../../gen/stepwell_api/v1/access_pb";
import { Answer } from "../../parts/Answer";
import { Field } from "../../parts/Field";
import { Empty } from "../../parts/Notice";
import { Time } from "../../parts/Time";
import { auditQuery } from "../../queries/audit";
import page from "../ExperimentsTable.module.css";
import styles from "./SettingsTable.module.css";

/** Who did what, when, from where; for admins. */
export function AuditTab() {
  const [account, setAccount] = useState("");
  const [action, setAction] = useState("");
  const found = useInfiniteQuery(auditQuery(useDeferredValue(account.trim()), useDeferredValue(action.trim())));
  return (
    <section aria-label="Audit">
      <div className={styles.bar}>
        <div className={styles.filters}>
          <Field
            label="Account"
            placeholder="anybody"
            value={account}
            onChange={(event) => setAccount(event.target.value)}
          />
          <Field
            label="Action begins with"
            placeholder="anything, or token"
            value={action}
            onChange={(event) => setAction(event.target.value)}
          />
        </div>
      </div>
      <Answer found={found} what="the audit" empty={<Empty title="Nothing like that happened" />}>
        {(entries) => (
          <div className={styles.scroll}>
            <table className={page.table}>
              <thead>
                <tr>
                  <th scope="col">When</th>
                  <th scope="col">Who</th>
                  <th scope="col">What</th>
                  <th scope="col">With what</th>
                  <th scope="col" className={page.wide}>
                    From
                  </th>
                </tr>
              </thead>
              <tbody>
                {entries.map((entry) => (
                  <Row key={String(entry.number)} entry={entry} />
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Answer>
    </section>
  );
}

function Row({ entry }: { entry: AuditEntry }) {
  const details = Object.entries(entry.details).map(([name, value]) => `${name}: ${value}`);
  return (
    <tr>
      <td className={styles.still}>
        <Time ms={entry.timeMs} relative={false} />
      </td>
      <td className={styles.name}>{entry.account || "nobody"}</td>
      <td className={styles.still}>{entry.action}</td>
      <td className={styles.soft}>
        {entry.subject}
        {details.length > 0 && <small> {details.join(", ")}</small>}
      </td>
      <td className={`${page.wide} ${styles.mono}`}>{entry.origin}</td>
    </tr>
  );
}
