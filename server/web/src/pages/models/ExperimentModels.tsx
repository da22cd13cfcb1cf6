import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useDeferredValue } from "react";

import { explain } from "../../api/failures";
import { Button } from "../../parts/Button";
import { Field } from "../../parts/Field";
import { firstModel } from "../../parts/firstSteps";
import { Empty, Failure, Loading } from "../../parts/Notice";
import { Script } from "../../parts/Script";
import { Tabs } from "../../parts/Tabs";
import { experimentQuery } from "../../queries/experiments";
import { modelsQuery } from "../../queries/models";
import { whole } from "../../url/search";
import page from "../ExperimentsPage.module.css";
import { Missing } from "../Missing";
import { lastView } from "../runs/lastViews";
import { LoggedModelsTable } from "./LoggedModelsTable";
import { StepCharts } from "./StepCharts";

const route = getRouteApi("/experiments/$experimentId/models");

/** The models of an experiment: what was measured of each, and which run made it. */
export function ExperimentModels() {
  const id = whole(route.useParams().experimentId);
  return id === undefined ? <Missing /> : <Models experimentId={id} />;
}

function Models({ experimentId }: { experimentId: bigint }) {
  const { q = "", order, descending = false, tab = "table" } = route.useSearch();
  const navigate = route.useNavigate();
  const experiment = useQuery(experimentQuery(experimentId));
  const wanted = useDeferredValue(q);
  const found = useInfiniteQuery(modelsQuery(experimentId, wanted, order ? { field: order, descending } : null));
  const models = found.data?.pages.flatMap((one) => one.models) ?? [];
  if (experiment.isError) return <Failure error={experiment.error} />;
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
        problem={found.isError ? explain(found.error) : null}
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
      {found.isPending ? (
        <Loading what="models" />
      ) : models.length === 0 ? (
        <Empty title={q ? "No model matches" : "No models yet"}>
          {!q && <Script title="Python" text={firstModel(experiment.data?.name ?? "")} />}
        </Empty>
      ) : tab === "charts" ? (
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
      )}
      {found.hasNextPage && (
        <Button onClick={() => void found.fetchNextPage()} disabled={found.isFetchingNextPage} className={page.more}>
          Show more
        </Button>
      )}
    </div>
  );
}
