import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";

import type { Group } from "../../gen/stepwell_api/v1/access_pb";
import { Answer } from "../../parts/Answer";
import { AskText } from "../../parts/AskText";
import { Button } from "../../parts/Button";
import { DotsIcon, PlusIcon } from "../../parts/icons";
import { Menu } from "../../parts/Menu";
import { Empty } from "../../parts/Notice";
import { groupsQuery, useGroupChanges } from "../../queries/accounts";
import page from "../ExperimentsTable.module.css";
import { Members } from "./Members";
import { Remove } from "./Remove";
import styles from "./SettingsTable.module.css";

/** Groups of accounts, with which things are shared at once; for admins. */
export function GroupsTab() {
  const found = useInfiniteQuery(groupsQuery);
  const { add } = useGroupChanges();
  const [isCreating, setIsCreating] = useState(false);
  return (
    <section aria-label="Groups">
      <div className={styles.bar}>
        <p>What is shared with a group is shared with all its members. Single sign-on fills groups of the same name.</p>
        <Button kind="primary" icon={<PlusIcon />} onClick={() => setIsCreating(true)}>
          New group
        </Button>
      </div>
      <Answer found={found} what="groups" empty={<Empty title="No groups yet" />}>
        {(groups) => (
          <div className={styles.scroll}>
            <table className={page.table}>
              <thead>
                <tr>
                  <th scope="col">Name</th>
                  <th scope="col">Members</th>
                  <th>
                    <span className={page.unseen}>Actions</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {groups.map((group) => (
                  <Row key={group.name} group={group} />
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Answer>
      {isCreating && (
        <AskText
          title="New group"
          label="Name"
          verb="Create"
          value=""
          answer={(name) => add.mutateAsync(name)}
          onClose={() => setIsCreating(false)}
        />
      )}
    </section>
  );
}

function Row({ group }: { group: Group }) {
  const { remove } = useGroupChanges();
  const [asking, setAsking] = useState<"members" | "remove" | null>(null);
  const close = () => setAsking(null);
  return (
    <tr>
      <td>
        <span className={styles.name}>{group.name}</span>
      </td>
      <td className={styles.soft}>{group.members.join(", ") || "nobody yet"}</td>
      <td className={page.actions}>
        <Menu
          trigger={<Button kind="quiet" icon={<DotsIcon />} aria-label={`Actions for ${group.name}`} />}
          items={[
            { label: "Members", act: () => setAsking("members") },
            { label: "Remove", act: () => setAsking("remove"), danger: true },
          ]}
        />
        {asking === "members" && <Members group={group} onClose={close} />}
        {asking === "remove" && (
          <Remove
            what={group.name}
            hint="What was shared with it is not shared with its members any more. The accounts stay."
            act={() => remove.mutateAsync(group.name)}
            onClose={close}
          />
        )}
      </td>
    </tr>
  );
}
