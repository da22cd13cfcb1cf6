import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";

import type { Group } from "../../gen/stepwell_api/v1/access_pb";
import { Button } from "../../parts/Button";
import { Dialog } from "../../parts/Dialog";
import { Picker } from "../../parts/Picker";
import { useSending } from "../../parts/useSending";
import { accountsQuery, useGroupChanges } from "../../queries/accounts";
import styles from "./SettingsTable.module.css";

/** Who is in a group. */
export function Members({ group, onClose }: { group: Group; onClose: () => void }) {
  const [members, setMembers] = useState(group.members);
  const accounts = useInfiniteQuery(accountsQuery);
  const { changeMembers } = useGroupChanges();
  const { isBusy, problem, send } = useSending();
  const added = members.filter((name) => !group.members.includes(name));
  const removed = group.members.filter((name) => !members.includes(name));
  const save = () => send(changeMembers.mutateAsync({ name: group.name, added, removed }), onClose);
  return (
    <Dialog
      open
      title={`Members of ${group.name}`}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" isBusy={isBusy} disabled={added.length + removed.length === 0} onClick={save}>
            Save
          </Button>
        </>
      }
    >
      <Picker
        label="Names"
        placeholder="add somebody"
        offered={accounts.data?.map(({ name }) => name) ?? []}
        chosen={members}
        onChoose={setMembers}
      />
      {problem && (
        <p role="alert" className={styles.problem}>
          {problem}
        </p>
      )}
    </Dialog>
  );
}
