import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useState } from "react";

import type { RegisteredModel } from "../../gen/stepwell_api/v1/registry_pb";
import { AskText } from "../../parts/AskText";
import { Button } from "../../parts/Button";
import { DotsIcon } from "../../parts/icons";
import { Menu } from "../../parts/Menu";
import { Loading } from "../../parts/Notice";
import { Time } from "../../parts/Time";
import { useIsThere } from "../../parts/useSending";
import { useTitle } from "../../parts/useTitle";
import { listed } from "../../models/stages";
import { registeredModelQuery, useRegistryChanges } from "../../queries/registry";
import { Unshown } from "../Missing";
import { Description } from "../run/Description";
import { Fact } from "../run/Details";
import run from "../run/RunPage.module.css";
import { Tags } from "../run/Tags";
import { OfModel, useMay } from "../access/may";
import { ShareModel } from "../access/ShareModel";
import { Aliases } from "./Aliases";
import { DeleteModel } from "./DeleteModel";
import { History } from "./History";
import { VersionsTable } from "./VersionsTable";

const route = getRouteApi("/models/$name");

/** A registered model: its versions, what is said of it, and who changed what. */
export function RegisteredModelPage() {
  const { name } = route.useParams();
  const model = useQuery(registeredModelQuery(name));
  if (model.isPending) return <Loading what="the model" />;
  if (!model.data) return <Unshown error={model.error} retry={() => void model.refetch()} />;
  return (
    <OfModel name={name}>
      <Shown key={name} model={model.data} />
    </OfModel>
  );
}

function Shown({ model }: { model: RegisteredModel }) {
  const { name } = model;
  const { describe, tag, untag } = useRegistryChanges(name);
  return (
    <div className={run.page}>
      <Header model={model} />
      <div className={run.overview}>
        <div className={run.column}>
          <Description note={model.description} save={(text) => describe.mutateAsync(text)} />
          <VersionsTable model={model} />
        </div>
        <div className={run.column}>
          <section className={run.box}>
            <header>
              <h2>Details</h2>
            </header>
            <dl className={run.details}>
              <Fact name="Created">
                <Time ms={model.creationTimeMs} relative={false} />
              </Fact>
              <Fact name="Last change">
                <Time ms={model.lastUpdateTimeMs} />
              </Fact>
              {model.customStages.length > 0 && <Fact name="Own stages">{model.customStages.join(", ")}</Fact>}
            </dl>
          </section>
          <Aliases model={model} />
          <Tags tags={model.tags} tag={tag} untag={untag} />
          <History name={name} />
        </div>
      </div>
    </div>
  );
}

function Header({ model }: { model: RegisteredModel }) {
  const navigate = route.useNavigate();
  const { rename, stages } = useRegistryChanges(model.name);
  const [asking, setAsking] = useState<"name" | "stages" | "share" | "delete" | null>(null);
  const may = useMay();
  const isThere = useIsThere();
  useTitle(model.name);
  return (
    <header className={`${run.header} ${run.alone}`}>
      <Link to="/models">Models</Link>
      <span aria-hidden="true">/</span>
      <h1 title={model.name}>{model.name}</h1>
      <span className={run.space} />
      {may.write && (
        <Menu
          trigger={<Button kind="quiet" icon={<DotsIcon />} aria-label="Actions for the model" />}
          items={[
            ...(may.manage ? [{ label: "Rename", act: () => setAsking("name") }] : []),
            { label: "Stages of its own", act: () => setAsking("stages") },
            ...(may.share ? [{ label: "Share", act: () => setAsking("share") }] : []),
            ...(may.manage ? [{ label: "Delete", act: () => setAsking("delete"), danger: true }] : []),
          ]}
        />
      )}
      {asking === "name" && (
        <AskText
          title="Rename model"
          label="Name"
          verb="Rename"
          value={model.name}
          answer={async (name) => {
            await rename.mutateAsync(name);
            if (isThere()) await navigate({ params: { name }, replace: true });
          }}
          onClose={() => setAsking(null)}
        />
      )}
      {asking === "stages" && (
        <AskText
          title="Stages of its own"
          label="Names, with commas between them"
          verb="Save"
          value={model.customStages.join(", ")}
          mayBeEmpty
          answer={(text) => stages.mutateAsync(listed(text))}
          onClose={() => setAsking(null)}
        />
      )}
      {asking === "share" && <ShareModel name={model.name} onClose={() => setAsking(null)} />}
      {asking === "delete" && (
        <DeleteModel
          name={model.name}
          onClose={() => setAsking(null)}
          then={() => isThere() && void navigate({ to: "/models" })}
        />
      )}
    </header>
  );
}
