import { readChartsView, type ChartsView } from "./chartsView";
import { flag, oneOf, text, texts } from "./search";

/** Everything that the runs page shows, as it stands in the address; what is left out is the usual. */
export interface RunsView extends ChartsView {
  q?: string;
  deleted?: true;
  view?: "table" | "charts";
  columns?: string[];
  order?: string;
  descending?: true;
  hidden?: string[];
}

export function readRunsView(given: Record<string, unknown>): RunsView {
  return {
    q: text(given.q),
    deleted: flag(given.deleted),
    view: oneOf(given.view, ["table", "charts"]),
    columns: texts(given.columns),
    order: text(given.order),
    descending: flag(given.descending),
    hidden: texts(given.hidden),
    ...readChartsView(given),
  };
}
