import { Link } from "@tanstack/react-router";

import type { RegisteredModel } from "../../gen/stepwell_api/v1/registry_pb";
import { Button } from "../../parts/Button";
import { CloseIcon } from "../../parts/icons";
import { say, told } from "../../parts/toast";
import { useRegistryChanges } from "../../queries/registry";
import { useMay } from "../access/may";
import run from "../run/RunPage.module.css";
import styles from "./Models.module.css";

/** What names stand for versions. */
export function Aliases({ model }: { model: RegisteredModel }) {
  const { removeAlias, setAlias } = useRegistryChanges(model.name);
  const may = useMay();
  const remove = (alias: string, version: number) =>
    told(removeAlias.mutateAsync(alias), () =>
      say(`@${alias} is gone`, () => told(setAlias.mutateAsync({ alias, version, expectVersion: 0 }))),
    );
  return (
    <section className={run.box} aria-label="Aliases">
      <header>
        <h2>Aliases</h2>
      </header>
      {model.aliases.length === 0 && <p className={run.nothing}>None. The menu of a version sets one.</p>}
      <ul className={styles.list}>
        {model.aliases.map(({ alias, version }) => (
          <li key={alias}>
            <span className={styles.alias}>
              @{alias}
              {may.write && (
                <Button
                  kind="quiet"
                  icon={<CloseIcon size={12} />}
                  aria-label={`Remove the alias ${alias}`}
                  isBusy={removeAlias.isPending && removeAlias.variables === alias}
                  onClick={() => remove(alias, version)}
                />
              )}
            </span>
            <Link to="/models/$name/versions/$version" params={{ name: model.name, version: String(version) }}>
              Version {version}
            </Link>
          </li>
        ))}
      </ul>
    </section>
  );
}
