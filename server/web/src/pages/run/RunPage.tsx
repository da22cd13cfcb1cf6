import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { lazy, Suspense } from "react";

import type { Run } from "../../gen/stepwell_api/v1/runs_pb";
import { Loading } from "../../parts/Notice";
import { Tabs } from "../../parts/Tabs";
import { ImageSteps } from "../../media/ImageSteps";
import type { ImageSeries } from "../../media/images";
import { histogramNamesQuery } from "../../queries/histograms";
import { imagesQuery } from "../../queries/images";
import { useLooksAgain } from "../../queries/looksAgain";
import { isRunning, runQuery, SYSTEM_PREFIX } from "../../queries/run";
import type { ChartsView } from "../../url/chartsView";
import { Unshown } from "../Missing";
import { OfExperiments } from "../access/may";
import { Artifacts } from "./Artifacts";
import { Console } from "./Console";
import { Overview } from "./Overview";
import { RunCharts } from "./RunCharts";
import { RunHeader } from "./RunHeader";
import styles from "./RunPage.module.css";

const route = getRouteApi("/experiments/$experimentId/runs/$runId");

const Histograms = lazy(() =>
  import("../../histograms/Histograms").then(({ Histograms }) => ({ default: Histograms })),
);

/** What people call a tab of pictures, or of these and sounds and videos. */
function mediaLabel(series: ImageSeries[]): string {
  return series.every(({ images }) => images[0]?.path.startsWith("images/")) ? "Images" : "Media";
}

/** One run: what it is, what it logged, its charts. */
export function RunPage() {
  const { runId } = route.useParams();
  const run = useQuery(runQuery(runId));
  if (run.isPending) return <Loading what="the run" />;
  if (!run.data?.info) return <Unshown error={run.error} retry={() => void run.refetch()} />;
  return (
    <OfExperiments ids={[run.data.info.experimentId]}>
      <Shown key={runId} run={run.data} />
    </OfExperiments>
  );
}

function Shown({ run }: { run: Run }) {
  const { tab = "overview", path = "", ...view } = route.useSearch();
  const navigate = route.useNavigate();
  const change = (part: Partial<ChartsView>) =>
    void navigate({ search: (now) => ({ ...now, ...part }), replace: true });
  useLooksAgain([run]);
  const keys = run.metrics.map((metric) => metric.key);
  const system = keys.filter((key) => key.startsWith(SYSTEM_PREFIX));
  const own = keys.filter((key) => !key.startsWith(SYSTEM_PREFIX));
  const images = useQuery(imagesQuery(run.info?.runId ?? "", isRunning(run)));
  const histograms = useQuery(histogramNamesQuery(run.info?.runId ?? "", isRunning(run)));
  // The tab that the address names is there also while it is not known what is in it.
  const tabs = [
    { id: "overview", label: "Overview" },
    { id: "charts", label: "Charts", count: own.length },
    { id: "artifacts", label: "Artifacts" },
    ...(images.data?.length || tab === "images"
      ? [{ id: "images", label: mediaLabel(images.data ?? []), count: images.data?.length }]
      : []),
    ...(histograms.data?.length || tab === "histograms"
      ? [{ id: "histograms", label: "Histograms", count: histograms.data?.length }]
      : []),
    { id: "console", label: "Console" },
    ...(system.length || tab === "system" ? [{ id: "system", label: "System", count: system.length }] : []),
  ];
  return (
    <div className={styles.page}>
      <RunHeader run={run} />
      <Tabs
        tabs={tabs}
        chosen={tab}
        onChoose={(id) =>
          // Charts stay as they were made; which metrics are looked for, and a file or a step, belongs to its tab.
          void navigate({
            search: (now) => ({
              ...now,
              tab: id === "overview" ? undefined : id,
              path: undefined,
              step: undefined,
              metrics: undefined,
            }),
          })
        }
      />
      {tab === "charts" ? (
        <RunCharts run={run} metrics={own} live={isRunning(run)} view={view} change={change} />
      ) : tab === "system" ? (
        <RunCharts run={run} metrics={system} live={isRunning(run)} view={view} change={change} />
      ) : tab === "images" ? (
        <ImageSteps runs={[{ runId: run.info?.runId ?? "", name: run.info?.name ?? "", live: isRunning(run) }]} />
      ) : tab === "histograms" ? (
        <Suspense fallback={<Loading what="histograms" />}>
          <Histograms runId={run.info?.runId ?? ""} live={isRunning(run)} />
        </Suspense>
      ) : tab === "console" ? (
        <Console key={run.info?.runId} runId={run.info?.runId ?? ""} live={isRunning(run)} />
      ) : tab === "artifacts" ? (
        <Artifacts
          runId={run.info?.runId ?? ""}
          live={isRunning(run)}
          path={path}
          onPath={(chosen) => void navigate({ search: (now) => ({ ...now, tab: "artifacts", path: chosen }) })}
        />
      ) : (
        <Overview run={run} />
      )}
    </div>
  );
}
