import type { AccessLevel } from "../../gen/stepwell_api/v1/access_pb";
import { Button } from "../../parts/Button";
import { Choice } from "../../parts/Choice";
import { CloseIcon, PeopleIcon, PersonIcon } from "../../parts/icons";
import { told } from "../../parts/toast";
import { LEVELS, levelName, useGrantChanges, type Subject, type Thing } from "../../queries/grants";
import styles from "./Share.module.css";

interface Props {
  thing: Thing;
  subject: Subject;
  /** Not there for everybody while nothing is said of them: then the fallback counts. */
  level: AccessLevel | undefined;
  fallback?: AccessLevel;
}

const UNSAID = "";
const NAMED_LEVELS = LEVELS.map(([level, text]) => [String(level), text] as const);

/** What one user, one group, or everybody may do. */
export function GrantLine({ thing, subject, level, fallback }: Props) {
  const { grant, revoke } = useGrantChanges();
  const isEverybody = subject.case === "everybody";
  const name = isEverybody ? "Everybody else" : subject.value;
  const choose = (chosen: string) =>
    chosen === UNSAID
      ? told(revoke.mutateAsync({ thing, subject }))
      : told(grant.mutateAsync({ thing, subject, level: Number(chosen) }));
  // What was chosen, and not what it was before, while it is on its way.
  const shown = grant.isPending ? grant.variables.level : level;
  const unsaid = fallback === undefined ? "" : `as usual: ${levelName(fallback)}`;
  return (
    <li>
      {subject.case === "user" ? <PersonIcon /> : <PeopleIcon />}
      <span className={styles.subject}>
        <bdi>{name}</bdi>
        {subject.case === "group" && <small>group</small>}
      </span>
      <Choice
        label={`${name} may`}
        hideLabel
        options={isEverybody ? [[UNSAID, unsaid], ...NAMED_LEVELS] : NAMED_LEVELS}
        value={shown === undefined ? UNSAID : String(shown)}
        disabled={grant.isPending || revoke.isPending}
        onChange={choose}
      />
      {isEverybody ? (
        <span />
      ) : (
        <Button
          kind="quiet"
          icon={<CloseIcon size={12} />}
          aria-label={`Share with ${name} no more`}
          isBusy={revoke.isPending}
          onClick={() => choose(UNSAID)}
        />
      )}
    </li>
  );
}
