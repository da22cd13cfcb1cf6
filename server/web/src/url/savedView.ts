import { defaultParseSearch, defaultStringifySearch } from "@tanstack/react-router";

import { readRunsView, type RunsView } from "./runsView";

/** What stands behind the question mark of a view's address; which runs are selected is nobody else's matter. */
export function addressOf(view: RunsView): string {
  const { saved, selected, everything, except, ...rest } = view;
  return defaultStringifySearch({ ...rest }).replace(/^\?/, "");
}

/** The view of an address; whatever is odd in it is left out. */
export function viewAt(address: string): RunsView {
  return readRunsView(defaultParseSearch(address));
}
