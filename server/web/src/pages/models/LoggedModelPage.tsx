import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useState } from "react";

import { LoggedModelStatus, type LoggedModel } from "../../gen/stepwell_api/v1/models_pb";
import { Button } from "../../parts/Button";
import { DotsIcon } from "../../parts/icons";
import { copy } from "../../parts/copy";
import { Menu } from "../../parts/Menu";
import { Loading } from "../../parts/Notice";
import { Tabs } from "../../parts/Tabs";
import { Time } from "../../parts/Time";
import { useTitle } from "../../parts/useTitle";
import { say, told } from "../../parts/toast";
import { useIsThere } from "../../parts/useSending";
import { experimentQuery } from "../../queries/experiments";
import { modelQuery, useModelEdits } from "../../queries/models";
import { versionsOfModelQuery } from "../../queries/registry";
import { Unshown } from "../Missing";
import { Artifacts } from "../run/Artifacts";
import { Copied, Fact, RunLink } from "../run/Details";
import { ParamsTable } from "../run/ParamsTable";
import run from "../run/RunPage.module.css";
import { Tags } from "../run/Tags";
import { OfExperiments, useMay, useMayCreate } from "../access/may";
import { About } from "./About";
import { Measured } from "./Measured";
import styles from "./Models.module.css";
import { ModelStatus } from "./ModelStatus";
import { RegisterModel } from "./RegisterModel";
import { Stage } from "./Stage";

const route = getRouteApi("/experiments/$experimentId/models/$modelId");

/** A logged model: what it takes and gives, how to use it, what was measured of it, its files. */
export function LoggedModelPage() {
  const { modelId } = route.useParams();
  const model = useQuery(modelQuery(modelId));
  if (model.isPending) return <Loading what="the model" />;
  if (!model.data) return <Unshown error={model.error} retry={() => void model.refetch()} />;
  return (
    <OfExperiments ids={[model.data.experimentId]}>
      <Shown key={modelId} model={model.data} />
    </OfExperiments>
  );
}

function Shown({ model }: { model: LoggedModel }) {
  const { tab = "overview", path = "" } = route.useSearch();
  const navigate = route.useNavigate();
  const { tag, untag } = useModelEdits(model.modelId);
  const place = { owner: model.modelId, folder: "" };
  useTitle(model.name);
  return (
    <div className={run.page}>
      <Header model={model} />
      <Tabs
        tabs={[
          { id: "overview", label: "Overview" },
          { id: "files", label: "Files" },
        ]}
        chosen={tab}
        onChoose={(id) => void navigate({ search: { tab: id === "overview" ? undefined : id } })}
      />
      {tab === "files" ? (
        <Artifacts
          runId={model.modelId}
          live={model.status === LoggedModelStatus.PENDING}
          path={path}
          onPath={(chosen) => void navigate({ search: { tab: "files", path: chosen } })}
        />
      ) : (
        <About
          uris={[`models:/${model.modelId}`]}
          place={place}
          above={<Measured model={model} />}
          beside={
            <>
              <Details model={model} />
              <Versions modelId={model.modelId} />
              <Tags tags={model.tags} tag={tag} untag={untag} />
            </>
          }
        >
          <ParamsTable params={model.params} />
        </About>
      )}
    </div>
  );
}

function Header({ model }: { model: LoggedModel }) {
  const experiment = useQuery(experimentQuery(model.experimentId));
  const navigate = route.useNavigate();
  const { remove, restore } = useModelEdits(model.modelId);
  const [registering, setRegistering] = useState(false);
  const may = useMay();
  const mayCreate = useMayCreate();
  const params = { experimentId: String(model.experimentId) };
  const isThere = useIsThere();
  const bringBack = () => told(restore.mutateAsync(undefined), () => say(`${model.name} is back`));
  const takeAway = () =>
    told(remove.mutateAsync(undefined), () => {
      say(`${model.name} is deleted`, bringBack);
      if (isThere()) void navigate({ to: "/experiments/$experimentId/models", params });
    });
  return (
    <header className={run.header}>
      <Link to="/experiments/$experimentId" params={params} className={styles.crumb}>
        {experiment.data?.name ?? "Experiment"}
      </Link>
      <span aria-hidden="true">/</span>
      <Link to="/experiments/$experimentId/models" params={params}>
        Models
      </Link>
      <span aria-hidden="true">/</span>
      <h1 title={model.name} className={styles.main}>
        {model.name}
      </h1>
      <ModelStatus status={model.status} why={model.statusMessage} />
      <span className={run.space} />
      {mayCreate && (
        <Button kind="primary" disabled={model.status !== LoggedModelStatus.READY} onClick={() => setRegistering(true)}>
          Register
        </Button>
      )}
      <Menu
        trigger={<Button kind="quiet" icon={<DotsIcon />} aria-label="Actions for the model" />}
        items={[
          { label: "Copy id", act: () => copy(model.modelId) },
          ...(may.write ? [{ label: "Delete", act: takeAway, danger: true }] : []),
        ]}
      />
      {registering && (
        <RegisterModel
          source={`models:/${model.modelId}`}
          modelId={model.modelId}
          suggestion={model.name}
          onClose={() => setRegistering(false)}
        />
      )}
    </header>
  );
}

function Details({ model }: { model: LoggedModel }) {
  return (
    <section className={run.box}>
      <header>
        <h2>Details</h2>
      </header>
      {model.status === LoggedModelStatus.FAILED && model.statusMessage && (
        <p className={run.lost}>{model.statusMessage}</p>
      )}
      <dl className={run.details}>
        {model.sourceRunId && (
          <Fact name="Run">
            <RunLink runId={model.sourceRunId} experimentId={model.experimentId} />
          </Fact>
        )}
        {model.modelType && <Fact name="Kind">{model.modelType}</Fact>}
        <Fact name="Created">
          <Time ms={model.creationTimeMs} relative={false} />
        </Fact>
        <Fact name="Last change">
          <Time ms={model.lastUpdateTimeMs} />
        </Fact>
        <Fact name="Model id">
          <Copied text={model.modelId} />
        </Fact>
        <Fact name="Place">
          <Copied text={model.artifactUri} />
        </Fact>
      </dl>
    </section>
  );
}

function Versions({ modelId }: { modelId: string }) {
  const found = useQuery(versionsOfModelQuery(modelId));
  if (!found.data?.length) return null;
  return (
    <section className={run.box} aria-label="Registered as">
      <header>
        <h2>Registered as</h2>
      </header>
      <ul className={styles.list}>
        {found.data.map(({ name, version, stage }) => (
          <li key={`${name}/${version}`}>
            <Link to="/models/$name/versions/$version" params={{ name, version: String(version) }}>
              <bdi>{name}</bdi> {version}
            </Link>
            <Stage stage={stage} />
          </li>
        ))}
      </ul>
    </section>
  );
}
