import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useState } from "react";

import type { ModelVersion } from "../../gen/stepwell_api/v1/registry_pb";
import { placeOf } from "../../models/place";
import { urisOf } from "../../models/uris";
import { Button } from "../../parts/Button";
import { DotsIcon } from "../../parts/icons";
import { Menu } from "../../parts/Menu";
import { Loading } from "../../parts/Notice";
import { Tabs } from "../../parts/Tabs";
import { Time } from "../../parts/Time";
import { useIsThere } from "../../parts/useSending";
import { useTitle } from "../../parts/useTitle";
import { modelQuery } from "../../queries/models";
import { registeredModelQuery, useRegistryChanges, versionQuery } from "../../queries/registry";
import { Unshown } from "../Missing";
import { Artifacts } from "../run/Artifacts";
import { Description } from "../run/Description";
import { Copied, Fact, RunLink } from "../run/Details";
import { ParamsTable } from "../run/ParamsTable";
import run from "../run/RunPage.module.css";
import { Tags } from "../run/Tags";
import { OfModel, useMay } from "../access/may";
import { About } from "./About";
import { DeleteModel } from "./DeleteModel";
import { History } from "./History";
import { Measured } from "./Measured";
import styles from "./Models.module.css";
import { ModelStatus } from "./ModelStatus";
import { MoveStage } from "./MoveStage";
import { SetAlias } from "./SetAlias";
import { Stage } from "./Stage";

const route = getRouteApi("/models/$name/versions/$version");

/** A version of a registered model: how it is used, where it came from, and what became of it. */
export function VersionPage() {
  const { name, version } = route.useParams();
  const found = useQuery(versionQuery(name, Number(version) || 0));
  if (found.isPending) return <Loading what="the version" />;
  if (!found.data) return <Unshown error={found.error} retry={() => void found.refetch()} />;
  return (
    <OfModel name={name}>
      <Shown key={`${name}/${version}`} version={found.data} />
    </OfModel>
  );
}

function Shown({ version }: { version: ModelVersion }) {
  const { tab = "overview", path = "" } = route.useSearch();
  const navigate = route.useNavigate();
  const { describe, tag, untag } = useRegistryChanges(version.name, version.version);
  const model = useQuery({ ...modelQuery(version.modelId), enabled: version.modelId !== "" });
  const registered = useQuery(registeredModelQuery(version.name));
  const place = placeOf(version);
  useTitle(`${version.name} ${version.version}`);
  return (
    <div className={run.page}>
      <Header version={version} />
      <Tabs
        tabs={[{ id: "overview", label: "Overview" }, ...(place ? [{ id: "files", label: "Files" }] : [])]}
        chosen={place ? tab : "overview"}
        onChoose={(id) => void navigate({ search: { tab: id === "overview" ? undefined : id } })}
      />
      {tab === "files" && place ? (
        <Artifacts
          runId={place.owner}
          folder={place.folder}
          live={false}
          path={path}
          onPath={(chosen) => void navigate({ search: { tab: "files", path: chosen } })}
        />
      ) : (
        <About
          uris={urisOf(version, registered.data)}
          place={place}
          above={<Description note={version.description} save={(text) => describe.mutateAsync(text)} />}
          beside={
            <>
              <section className={run.box}>
                <header>
                  <h2>Details</h2>
                </header>
                <dl className={run.details}>
                  {model.data && (
                    <>
                      <Fact name="Status">
                        <ModelStatus status={model.data.status} why={model.data.statusMessage} />
                      </Fact>
                      <Fact name="Logged model">
                        <Link
                          to="/experiments/$experimentId/models/$modelId"
                          params={{ experimentId: String(model.data.experimentId), modelId: model.data.modelId }}
                        >
                          {model.data.name}
                        </Link>
                      </Fact>
                    </>
                  )}
                  {version.runId && (
                    <Fact name="Run">
                      <RunLink runId={version.runId} />
                    </Fact>
                  )}
                  <Fact name="Registered">
                    <Time ms={version.creationTimeMs} relative={false} /> {version.user && `by ${version.user}`}
                  </Fact>
                  <Fact name="Last change">
                    <Time ms={version.lastUpdateTimeMs} />
                  </Fact>
                  <Fact name="Source">
                    <Copied text={version.source} />
                  </Fact>
                </dl>
              </section>
              <Tags tags={version.tags} tag={tag} untag={untag} />
              <History name={version.name} version={version.version} />
            </>
          }
        >
          {model.data && (
            <>
              <Measured model={model.data} />
              <ParamsTable params={model.data.params} />
            </>
          )}
        </About>
      )}
    </div>
  );
}

function Header({ version }: { version: ModelVersion }) {
  const { name, version: number } = version;
  const navigate = route.useNavigate();
  const model = useQuery(registeredModelQuery(name));
  const [asking, setAsking] = useState<"stage" | "alias" | "delete" | null>(null);
  const may = useMay();
  const close = () => setAsking(null);
  const isThere = useIsThere();
  return (
    <header className={run.header}>
      <Link to="/models">Models</Link>
      <span aria-hidden="true">/</span>
      <Link to="/models/$name" params={{ name }} className={styles.crumb}>
        {name}
      </Link>
      <span aria-hidden="true">/</span>
      <h1 className={styles.one}>Version {number}</h1>
      <Stage stage={version.stage} />
      <span className={`${styles.chips} ${styles.roomy}`}>
        {version.aliases.map((alias) => (
          <span key={alias} className={`${styles.alias} ${styles.plainAlias}`} title={`@${alias}`}>
            @{alias}
          </span>
        ))}
      </span>
      <span className={run.space} />
      {may.write && (
        <Menu
          trigger={<Button kind="quiet" icon={<DotsIcon />} aria-label={`Actions for version ${number}`} />}
          items={[
            // What is in the stages, and what the aliases stand for, is a matter of the model.
            { label: "Move to a stage", act: () => setAsking("stage"), disabled: !model.data },
            { label: "Set an alias", act: () => setAsking("alias"), disabled: !model.data },
            { label: "Delete", act: () => setAsking("delete"), danger: true },
          ]}
        />
      )}
      {asking === "stage" && model.data && <MoveStage model={model.data} version={version} onClose={close} />}
      {asking === "alias" && model.data && <SetAlias model={model.data} version={number} onClose={close} />}
      {asking === "delete" && (
        <DeleteModel
          name={name}
          version={number}
          onClose={close}
          then={() => isThere() && void navigate({ to: "/models/$name", params: { name } })}
        />
      )}
    </header>
  );
}
