import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useDeferredValue } from "react";

import { Answer } from "../../parts/Answer";
import { Field } from "../../parts/Field";
import { firstModel } from "../../parts/firstSteps";
import { Empty } from "../../parts/Notice";
import { Script } from "../../parts/Script";
import { Tabs } from "../../parts/Tabs";
import { useTitle } from "../../parts/useTitle";
import { experimentQuery } from "../../queries/experiments";
import { modelsQuery } from "../../queries/models";
import { whole } from "../../url/search";
import page from "../ExperimentsPage.module.css";
import { LoginFirst } from "../access/LoginFirst";
import { Missing, Unshown } from "../Missing";
import { lastView } from "../runs/lastViews";
import { LoggedModelsTable } from "./LoggedModelsTable";
import { StepCharts } from "./StepCharts";

const route = getRouteApi("/experiments/$experimentId/models");

/** The models of an experiment: what was measured of each, and which run made it. */
export function ExperimentModels() {
  const id = whole(route.useParams().experimentId);
  return id === undefined ? <Missing /> : <Models key={String(id)} experimentId={id} />;
}

function Models({ experimentId }: { experimentId: bigint }) {
  const { q = "", order, descending = false, tab = "table" } = route.useSearch();
  const navigate = route.useNavigate();
  const experiment = useQuery(experimentQuery(experimentId));
  useTitle(experiment.data && `Models of ${experiment.data.name}`);
  const wanted = useDeferredValue(q);
  const found = useInfiniteQuery(modelsQuery(experimentId, wanted, order ? { field: order, descending } : null));
  if (experiment.isLoadingError) return <Unshown error={experiment.error} retry={() => void experiment.refetch()} />;
  return (
    <div className={page.page}>
      <header className={page.crumbs}>
        <Link to="/">Experiments</Link>
        <span aria-hidden="true">/</span>
        <Link
          to="/experiments/$experimentId"
          params={{ experimentId: String(experimentId) }}
          search={lastView([experimentId])}
          title={experiment.data?.name}
        >
          {experiment.data?.name ?? "Experiment"}
        </Link>
        <span aria-hidden="true">/</span>
        <h1>Models</h1>
      </header>
      <Field
        label="Filter models"
        hideLabel
        type="search"
        data-search
        placeholder="metrics.accuracy > 0.9 AND name = 'best'"
        className={page.search}
        value={q}
        onChange={(event) =>
          void navigate({ search: (now) => ({ ...now, q: event.target.value || undefined }), replace: true })
        }
      />
      <Tabs
        tabs={[
          { id: "table", label: "Table" },
          { id: "charts", label: "Charts by step" },
        ]}
        chosen={tab}
        onChoose={(id) => void navigate({ search: (now) => ({ ...now, tab: id === "charts" ? "charts" : undefined }) })}
      />
      <Answer
        found={found}
        what="models"
        empty={<Nothing isSearch={q !== ""} experiment={experiment.data?.name ?? ""} />}
      >
        {(models) =>
          tab === "charts" ? (
            <StepCharts experimentId={experimentId} models={models} />
          ) : (
            <LoggedModelsTable
              experimentId={experimentId}
              models={models}
              order={order}
              descending={descending}
              onOrder={(field) =>
                void navigate({
                  search: (now) => ({
                    ...now,
                    order: field,
                    descending: now.order !== field || !now.descending || undefined,
                  }),
                })
              }
            />
          )
        }
      </Answer>
    </div>
  );
}

function Nothing({ isSearch, experiment }: { isSearch: boolean; experiment: string }) {
  if (isSearch) return <Empty title="No model matches" />;
  return (
    <Empty title="No models yet">
      <LoginFirst />
      <Script title="Python" text={firstModel(experiment)} />
    </Empty>
  );
}
