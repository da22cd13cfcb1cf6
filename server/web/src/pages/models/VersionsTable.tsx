import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";

import type { ModelVersion, RegisteredModel } from "../../gen/stepwell_api/v1/registry_pb";
import { Answer } from "../../parts/Answer";
import { Button } from "../../parts/Button";
import { DotsIcon } from "../../parts/icons";
import { Menu } from "../../parts/Menu";
import { Time } from "../../parts/Time";
import { versionsQuery } from "../../queries/registry";
import { useMay } from "../access/may";
import run from "../run/RunPage.module.css";
import { RunLink } from "../run/Details";
import { DeleteModel } from "./DeleteModel";
import styles from "./Models.module.css";
import { MoveStage } from "./MoveStage";
import { SetAlias } from "./SetAlias";
import { Stage } from "./Stage";

/** More beside each other nobody reads. */
export const COMPARED_MAX = 6;

/** The versions of a registered model, the newest first; each is moved, named by an alias and deleted here. */
export function VersionsTable({ model }: { model: RegisteredModel }) {
  const found = useInfiniteQuery(versionsQuery(model.name));
  const [chosen, setChosen] = useState<readonly number[]>([]);
  const choose = (number: number, on: boolean) =>
    setChosen((now) => [...now.filter((one) => one !== number), ...(on ? [number] : [])].slice(-COMPARED_MAX));
  return (
    <section className={run.box} aria-label="Versions">
      <header>
        <h2>Versions</h2>
        {chosen.length > 1 && (
          <Link to="/models/$name/compare" params={{ name: model.name }} search={{ versions: chosen.map(String) }}>
            Compare {chosen.length} versions
          </Link>
        )}
      </header>
      <Answer
        found={found}
        what="versions"
        empty={<p className={run.nothing}>None yet. Register one from the page of a logged model.</p>}
      >
        {(versions) => (
          <div className={styles.scroll}>
            <table className={`${run.values} ${styles.versions}`}>
              <thead>
                <tr>
                  {["Version", "Stage", "Aliases", "Run", "Registered"].map((title) => (
                    <th key={title} scope="col">
                      {title}
                    </th>
                  ))}
                  <th aria-label="Actions" />
                </tr>
              </thead>
              <tbody>
                {versions.map((version) => (
                  <Row
                    key={version.version}
                    model={model}
                    version={version}
                    isChosen={chosen.includes(version.version)}
                    onChoose={choose}
                  />
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Answer>
    </section>
  );
}

interface RowProps {
  model: RegisteredModel;
  version: ModelVersion;
  isChosen: boolean;
  onChoose: (version: number, chosen: boolean) => void;
}

function Row({ model, version, isChosen, onChoose }: RowProps) {
  const [asking, setAsking] = useState<"stage" | "alias" | "delete" | null>(null);
  const may = useMay();
  const number = version.version;
  const close = () => setAsking(null);
  return (
    <tr>
      <th scope="row">
        <input
          type="checkbox"
          aria-label={`Choose version ${number}`}
          checked={isChosen}
          onChange={(event) => onChoose(number, event.target.checked)}
        />{" "}
        <Link to="/models/$name/versions/$version" params={{ name: model.name, version: String(number) }}>
          Version {number}
        </Link>
      </th>
      <td>
        <Stage stage={version.stage} />
      </td>
      <td>
        {version.aliases.map((alias) => (
          <span key={alias} className={`${styles.alias} ${styles.plainAlias}`} title={`@${alias}`}>
            @{alias}
          </span>
        ))}
      </td>
      <td>{version.runId ? <RunLink runId={version.runId} /> : "–"}</td>
      <td>
        <Time ms={version.creationTimeMs} /> {version.user && <small>by {version.user}</small>}
      </td>
      <td>
        {may.write && (
          <Menu
            trigger={<Button kind="quiet" icon={<DotsIcon />} aria-label={`Actions for version ${number}`} />}
            items={[
              { label: "Move to a stage", act: () => setAsking("stage") },
              { label: "Set an alias", act: () => setAsking("alias") },
              { label: "Delete", act: () => setAsking("delete"), danger: true },
            ]}
          />
        )}
        {asking === "stage" && <MoveStage model={model} version={version} onClose={close} />}
        {asking === "alias" && <SetAlias model={model} version={number} onClose={close} />}
        {asking === "delete" && <DeleteModel name={model.name} version={number} onClose={close} />}
      </td>
    </tr>
  );
}
