import { readChartsView, type ChartsView } from "./chartsView";
import { readWidths as widths, type Widths } from "../table/widths";
import { flag, oneOf, text, texts } from "./search";

/** Everything that the runs page shows, as it stands in the address; what is left out is the usual. */
export interface RunsView extends ChartsView {
  q?: string;
  deleted?: true;
  view?: "table" | "charts";
  /** How much of the width the table has beside the charts, in percent. */
  split?: number;
  columns?: string[];
  /** Widths of columns in pixels, by their ids. */
  widths?: Widths;
  order?: string;
  descending?: true;
  /** Runs and groups that are not in the charts, and runs that are although they are not among the first. */
  hidden?: string[];
  shown?: string[];
  /** Fields of which the runs of a group have the same. */
  group?: string[];
  /** Runs that were started in others are shown below these unless it is off. */
  nested?: "off";
  /** Runs and groups that are open; left out as long as nobody has opened or closed one. */
  open?: string[];
  pinned?: string[];
  /** The run beside which others show how they differ. */
  baseline?: string;
  /** Runs that are selected; or everything that the filter finds, except some. */
  selected?: string[];
  everything?: true;
  except?: string[];
  /** What the experiment is, above its runs. */
  about?: true;
  /** The view with a name that this began as. */
  saved?: string;
}

// What an address holds of each; more are chosen by a filter, or not at all.
export const SELECTED_MAX = 200;
export const PINNED_MAX = 20;
export const SHOWN_MAX = 100;
export const [SPLIT_MIN, SPLIT_USUAL, SPLIT_MAX] = [15, 42, 85];
export const OPEN_MAX = 50;
export const GROUP_FIELDS_MAX = 4;

const isRunId = (text: string): boolean => /^[0-9a-f]{32}$/.test(text);

export function readRunsView(given: Record<string, unknown>): RunsView {
  return {
    q: text(given.q),
    deleted: flag(given.deleted),
    view: oneOf(given.view, ["table", "charts"]),
    split: percent(given.split),
    columns: texts(given.columns),
    order: text(given.order),
    descending: flag(given.descending),
    hidden: texts(given.hidden),
    shown: texts(given.shown)?.slice(0, SHOWN_MAX),
    widths: widths(given.widths),
    ...readChartsView(given),
    group: texts(given.group)?.slice(0, GROUP_FIELDS_MAX),
    nested: oneOf(given.nested, ["off"]),
    open: Array.isArray(given.open) ? (texts(given.open) ?? []).slice(0, OPEN_MAX) : undefined,
    pinned: texts(given.pinned)?.filter(isRunId).slice(0, PINNED_MAX),
    baseline: texts([given.baseline])?.find(isRunId),
    selected: texts(given.selected)?.filter(isRunId).slice(0, SELECTED_MAX),
    everything: flag(given.everything),
    except: texts(given.except)?.filter(isRunId).slice(0, SELECTED_MAX),
    about: flag(given.about),
    saved: text(given.saved),
  };
}

function percent(given: unknown): number | undefined {
  return typeof given === "number" && given >= SPLIT_MIN && given <= SPLIT_MAX ? Math.round(given) : undefined;
}
