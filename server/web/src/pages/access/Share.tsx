import { useQuery } from "@tanstack/react-query";

import { Answer } from "../../parts/Answer";
import { Button } from "../../parts/Button";
import { Dialog } from "../../parts/Dialog";
import { EVERYBODY, grantsQuery, type Shared, type Thing } from "../../queries/grants";
import { AddSubject } from "./AddSubject";
import { GrantLine } from "./GrantLine";
import styles from "./Share.module.css";

/** Who may do what with an experiment or a registered model, and how to change that. */
export function Share({ thing, title, onClose }: { thing: Thing; title: string; onClose: () => void }) {
  const found = useQuery(grantsQuery(thing));
  return (
    <Dialog
      open
      title={`Share ${title}`}
      onClose={onClose}
      footer={
        <Button kind="primary" onClick={onClose}>
          Done
        </Button>
      }
    >
      <AddSubject thing={thing} />
      <Answer found={found} what="who may do what">
        {(shared) => <Lines thing={thing} shared={shared} />}
      </Answer>
      <p className={styles.note}>
        What is said of a user counts first, then what is said of their groups, then of everybody. Admins may do
        everything.
      </p>
    </Dialog>
  );
}

function Lines({ thing, shared }: { thing: Thing; shared: Shared }) {
  const everybody = shared.grants.find(({ subject }) => subject.case === "everybody");
  return (
    <ul className={styles.grants}>
      {shared.grants.map(
        ({ subject, level }) =>
          subject.case !== "everybody" && (
            <GrantLine key={`${subject.case} ${subject.value}`} thing={thing} subject={subject} level={level} />
          ),
      )}
      <GrantLine thing={thing} subject={EVERYBODY} level={everybody?.level} fallback={shared.defaultLevel} />
    </ul>
  );
}
