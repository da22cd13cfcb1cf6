import { useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useDeferredValue, useState } from "react";

import type { RegisteredModel } from "../../gen/stepwell_api/v1/registry_pb";
import { firstLine } from "../../format/markdown";
import { Answer } from "../../parts/Answer";
import { Button } from "../../parts/Button";
import { Field } from "../../parts/Field";
import { firstModel } from "../../parts/firstSteps";
import { PlusIcon } from "../../parts/icons";
import { Empty } from "../../parts/Notice";
import { Script } from "../../parts/Script";
import { Time } from "../../parts/Time";
import { useTitle } from "../../parts/useTitle";
import { registeredModelsQuery } from "../../queries/registry";
import { nameFilter } from "../../url/filters";
import { LoginFirst } from "../access/LoginFirst";
import { useMayCreate } from "../access/may";
import page from "../ExperimentsPage.module.css";
import table from "../ExperimentsTable.module.css";
import styles from "./Models.module.css";
import { NewModel } from "./NewModel";
import { Stage } from "./Stage";

const route = getRouteApi("/models");

/** All registered models: search and create. */
export function ModelsPage() {
  const { q = "" } = route.useSearch();
  const navigate = route.useNavigate();
  const found = useInfiniteQuery(registeredModelsQuery(useDeferredValue(nameFilter(q))));
  const [creating, setCreating] = useState(false);
  const mayCreate = useMayCreate();
  useTitle("Models");
  return (
    <div className={page.page}>
      <header className={page.header}>
        <h1>Models</h1>
        {mayCreate && (
          <Button kind="primary" icon={<PlusIcon />} onClick={() => setCreating(true)}>
            New model
          </Button>
        )}
      </header>
      <div className={page.bar}>
        <Field
          label="Search models"
          hideLabel
          type="search"
          data-search
          placeholder="Search by name, or tags.team = 'risk'"
          className={page.search}
          value={q}
          onChange={(event) => void navigate({ search: { q: event.target.value || undefined }, replace: true })}
        />
      </div>
      <Answer found={found} what="models" empty={<Nothing isSearch={q !== ""} />}>
        {(models) => <Listed models={models} />}
      </Answer>
      {creating && <NewModel onClose={() => setCreating(false)} />}
    </div>
  );
}

function Nothing({ isSearch }: { isSearch: boolean }) {
  if (isSearch) return <Empty title="No model matches" />;
  return (
    <Empty title="No models yet">
      <p>This logs one and registers it. What is logged already is registered on its page.</p>
      <LoginFirst />
      <Script title="Python" text={firstModel("first models")} />
    </Empty>
  );
}

function Listed({ models }: { models: RegisteredModel[] }) {
  return (
    <table className={table.table}>
      <thead>
        <tr>
          <th scope="col">Name</th>
          <th scope="col" className={table.wide}>
            Newest
          </th>
          <th scope="col">Stages</th>
          <th scope="col" className={table.wide}>
            Aliases
          </th>
          <th scope="col" className={table.wide}>
            Last change
          </th>
        </tr>
      </thead>
      <tbody>
        {models.map((model) => (
          <Row key={model.name} model={model} />
        ))}
      </tbody>
    </table>
  );
}

function Row({ model }: { model: RegisteredModel }) {
  const newest = Math.max(0, ...model.latestVersions.map(({ version }) => version));
  const staged = model.latestVersions.filter(({ stage }) => stage !== "None");
  return (
    <tr>
      <td>
        <Link to="/models/$name" params={{ name: model.name }} className={table.name}>
          {model.name}
        </Link>
        {model.description && <p className={table.note}>{firstLine(model.description)}</p>}
      </td>
      <td className={`${table.wide} ${styles.one}`}>
        {newest > 0 ? (
          <Link to="/models/$name/versions/$version" params={{ name: model.name, version: String(newest) }}>
            Version {newest}
          </Link>
        ) : (
          "–"
        )}
      </td>
      <td>
        <span className={styles.chips}>
          {staged.map(({ stage, version }) => (
            <Stage key={stage} stage={stage} version={version} />
          ))}
        </span>
      </td>
      <td className={table.wide}>
        <span className={styles.chips}>
          {model.aliases.map(({ alias, version }) => (
            <span key={alias} className={`${styles.alias} ${styles.plainAlias}`} title={`@${alias}`}>
              @{alias} {version}
            </span>
          ))}
        </span>
      </td>
      <td className={`${table.wide} ${styles.one}`}>
        <Time ms={model.lastUpdateTimeMs} />
      </td>
    </tr>
  );
}
