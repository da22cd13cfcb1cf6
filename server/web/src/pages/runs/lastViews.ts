import type { RunsView } from "../../url/runsView";

/** How the runs of experiments were shown last in this tab: the way back from a run or a comparison leads there. */
const views = new Map<string, RunsView>();

export function rememberView(experimentIds: bigint[], view: RunsView): void {
  views.set(experimentIds.join(), view);
}

export function lastView(experimentIds: bigint[]): RunsView {
  return views.get(experimentIds.join()) ?? {};
}
