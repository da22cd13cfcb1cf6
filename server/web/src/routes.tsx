import {
  createHashHistory,
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
} from "@tanstack/react-router";

import { Broken } from "./pages/Broken";
import { ExperimentsPage } from "./pages/ExperimentsPage";
import { Missing } from "./pages/Missing";
import { RunsPage } from "./pages/runs/RunsPage";
import { Shell } from "./pages/Shell";
import { readChartsView, type ChartsView } from "./url/chartsView";
import { readRunsView, type RunsView } from "./url/runsView";
import { flag, oneOf, text, texts } from "./url/search";

// Whoever opens the list or a table need not wait for the other pages; they come when they are wanted.
// The hash keeps addresses whole below any path of a proxy, and is where MLflow's links have theirs:
// /#/experiments/3 and /#/experiments/3/runs/<id> mean the same here.
interface Compared extends RunsView {
  runs?: string[];
  tab?: string;
  step?: string;
  all?: true;
}

interface Opened extends ChartsView {
  tab?: string;
  path?: string;
  /** Of pictures; the last one where it is left out. */
  step?: string;
  /** Processes have lines of their own. */
  processes?: "apart";
  /** Machines have charts of their own. */
  nodes?: "apart";
}

interface Found {
  q?: string;
  deleted?: true;
}

interface Ordered {
  q?: string;
  tab?: "charts";
  order?: string;
  descending?: true;
}

interface Versions {
  versions?: string[];
  all?: true;
}

interface Tabbed {
  tab?: string;
  path?: string;
}

const RUN_TABS = ["charts", "artifacts", "images", "histograms", "console", "system"] as const;

const readTab = (given: Record<string, unknown>): Tabbed => ({
  tab: oneOf(given.tab, ["files"]),
  path: text(given.path),
});

const root = createRootRoute({ component: Shell, notFoundComponent: () => <Missing /> });

const experiments = createRoute({
  getParentRoute: () => root,
  path: "/",
  component: ExperimentsPage,
  validateSearch: (given): Found => ({ q: text(given.q), deleted: flag(given.deleted) }),
});

const runs = createRoute({
  getParentRoute: () => root,
  path: "/experiments/$experimentId",
  component: RunsPage,
  validateSearch: readRunsView,
});

const run = createRoute({
  getParentRoute: () => root,
  path: "/experiments/$experimentId/runs/$runId",
  component: lazyRouteComponent(() => import("./pages/run/RunPage"), "RunPage"),
  validateSearch: (given): Opened => ({
    ...readChartsView(given),
    tab: oneOf(given.tab, RUN_TABS),
    path: text(given.path),
    step: text(given.step),
    processes: oneOf(given.processes, ["apart"]),
    nodes: oneOf(given.nodes, ["apart"]),
  }),
});

const compare = createRoute({
  getParentRoute: () => root,
  path: "/compare",
  component: lazyRouteComponent(() => import("./pages/compare/ComparePage"), "ComparePage"),
  validateSearch: (given): Compared => ({
    ...readRunsView(given),
    runs: texts(given.runs),
    tab: text(given.tab),
    step: text(given.step),
    all: flag(given.all),
  }),
});

const modelsOfExperiment = createRoute({
  getParentRoute: () => root,
  path: "/experiments/$experimentId/models",
  component: lazyRouteComponent(() => import("./pages/models/ExperimentModels"), "ExperimentModels"),
  validateSearch: (given): Ordered => ({
    q: text(given.q),
    order: text(given.order),
    descending: flag(given.descending),
    tab: oneOf(given.tab, ["charts"]),
  }),
});

const loggedModel = createRoute({
  getParentRoute: () => root,
  path: "/experiments/$experimentId/models/$modelId",
  component: lazyRouteComponent(() => import("./pages/models/LoggedModelPage"), "LoggedModelPage"),
  validateSearch: readTab,
});

const models = createRoute({
  getParentRoute: () => root,
  path: "/models",
  component: lazyRouteComponent(() => import("./pages/models/ModelsPage"), "ModelsPage"),
  validateSearch: (given): Found => ({ q: text(given.q) }),
});

const registeredModel = createRoute({
  getParentRoute: () => root,
  path: "/models/$name",
  component: lazyRouteComponent(() => import("./pages/models/RegisteredModelPage"), "RegisteredModelPage"),
});

const version = createRoute({
  getParentRoute: () => root,
  path: "/models/$name/versions/$version",
  component: lazyRouteComponent(() => import("./pages/models/VersionPage"), "VersionPage"),
  validateSearch: readTab,
});

const versions = createRoute({
  getParentRoute: () => root,
  path: "/models/$name/compare",
  component: lazyRouteComponent(() => import("./pages/models/CompareVersions"), "CompareVersions"),
  validateSearch: (given): Versions => ({ versions: texts(given.versions), all: flag(given.all) }),
});

const settings = createRoute({
  getParentRoute: () => root,
  path: "/settings",
  component: lazyRouteComponent(() => import("./pages/settings/SettingsPage"), "SettingsPage"),
  validateSearch: (given): Tabbed => ({ tab: text(given.tab) }),
});

const login = createRoute({
  getParentRoute: () => root,
  path: "/login/$code",
  component: lazyRouteComponent(() => import("./pages/access/ConfirmLogin"), "ConfirmLogin"),
  validateSearch: (given): { name?: string } => ({ name: text(given.name) }),
});

export const router = createRouter({
  routeTree: root.addChildren([
    experiments,
    runs,
    run,
    compare,
    settings,
    login,
    modelsOfExperiment,
    loggedModel,
    models,
    registeredModel,
    version,
    versions,
  ]),
  history: createHashHistory(),
  defaultErrorComponent: Broken,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
