import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import type { Token } from "../../gen/stepwell_api/v1/access_pb";
import { Answer } from "../../parts/Answer";
import { Button } from "../../parts/Button";
import { PlusIcon } from "../../parts/icons";
import { Empty } from "../../parts/Notice";
import { Time } from "../../parts/Time";
import { say, told } from "../../parts/toast";
import { SCOPES, tokensQuery, useTokenChanges } from "../../queries/tokens";
import page from "../ExperimentsTable.module.css";
import { NewToken } from "./NewToken";
import { Secret } from "./Secret";
import styles from "./SettingsTable.module.css";

/** The tokens of whoever is signed in: what programs show instead of a password. */
export function TokensTab() {
  const found = useQuery(tokensQuery);
  const [isCreating, setIsCreating] = useState(false);
  const [made, setMade] = useState<{ name: string; secret: string } | null>(null);
  return (
    <section aria-label="Tokens">
      <div className={styles.bar}>
        <p>
          Programs sign in with a token instead of your password. Give each its own, so that one can be taken back
          without the others.
        </p>
        <Button kind="primary" icon={<PlusIcon />} onClick={() => setIsCreating(true)}>
          New token
        </Button>
      </div>
      <Answer found={found} what="tokens" empty={<Empty title="No tokens yet" />}>
        {(tokens) => (
          <div className={styles.scroll}>
            <table className={page.table}>
              <thead>
                <tr>
                  <th scope="col">Name</th>
                  <th scope="col">May</th>
                  <th scope="col" className={page.wide}>
                    Begins with
                  </th>
                  <th scope="col">Expires</th>
                  <th scope="col" className={page.wide}>
                    Last used
                  </th>
                  <th>
                    <span className={page.unseen}>Actions</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {tokens.map((token) => (
                  <Row key={String(token.tokenId)} token={token} />
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Answer>
      {isCreating && (
        <NewToken
          onClose={() => setIsCreating(false)}
          onMade={(name, secret) => {
            setIsCreating(false);
            setMade({ name, secret });
          }}
        />
      )}
      {made && <Secret {...made} onClose={() => setMade(null)} />}
    </section>
  );
}

function Row({ token }: { token: Token }) {
  const { revoke } = useTokenChanges();
  const isOver = !!token.expiresTimeMs && Number(token.expiresTimeMs) <= Date.now();
  const isRevoked = !!token.revokedTimeMs;
  const limits = token.isLimited ? token.experimentIds.map(String).join(", ") : "";
  return (
    <tr className={isOver || isRevoked ? styles.gone : ""}>
      <td>
        <span className={styles.name}>{token.name}</span>
        {isRevoked && <span className={`${styles.badge} ${styles.off}`}>revoked</span>}
      </td>
      <td className={styles.soft}>
        {SCOPES.find(([scope]) => scope === token.scope)?.[1] ?? ""}
        {limits && <small> in experiments {limits}</small>}
      </td>
      <td className={`${page.wide} ${styles.mono}`}>{token.hint}…</td>
      <td className={styles.still}>
        {token.expiresTimeMs ? isOver ? "expired" : <Time ms={token.expiresTimeMs} relative={false} /> : "never"}
      </td>
      <td className={`${page.wide} ${styles.still}`}>
        {token.lastUsedTimeMs ? <Time ms={token.lastUsedTimeMs} /> : "never"}
      </td>
      <td className={page.actions}>
        {!isRevoked && (
          <Button
            kind="danger"
            aria-label={`Revoke ${token.name}`}
            isBusy={revoke.isPending}
            onClick={() => told(revoke.mutateAsync(token.tokenId), () => say(`${token.name} is revoked`))}
          >
            Revoke
          </Button>
        )}
      </td>
    </tr>
  );
}
