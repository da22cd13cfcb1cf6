import type { Run } from "../gen/stepwell_api/v1/runs_pb";
import { SHOWN_MAX, type RunsView } from "../url/runsView";
import { runIdOf } from "./rows";

/** Few runs at first, so that a page of thousands is not one ball of wool; the marks in the table show more. */
export const DRAWN_AT_FIRST = 20;

type Chosen = Pick<RunsView, "hidden" | "shown">;

/** The first runs that are not hidden, and those that somebody wants to see besides, in their order. */
export function drawnRuns(runs: Run[], { hidden, shown }: Chosen): Run[] {
  const [not, also] = [new Set(hidden), new Set(shown)];
  const rest = runs.filter((run) => !not.has(runIdOf(run)));
  return rest.filter((run, place) => place < DRAWN_AT_FIRST || also.has(runIdOf(run))).slice(0, SHOWN_MAX);
}

/** The view with a run or a group shown in the charts, or hidden there. */
export function toggled<T extends Chosen>(view: T, id: string, isShown: boolean): T {
  const without = (ids: string[] | undefined) => ids?.filter((one) => one !== id) ?? [];
  const listed = (ids: string[]) => (ids.length ? ids : undefined);
  const [hidden, shown] = [without(view.hidden), without(view.shown)];
  (isShown ? shown : hidden).push(id);
  return { ...view, hidden: listed(hidden), shown: listed(shown.slice(-SHOWN_MAX)) };
}
