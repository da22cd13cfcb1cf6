import { useQueries } from "@tanstack/react-query";
import { useMemo } from "react";

import { colorOf, COLORS } from "../../charts/colors";
import type { Run } from "../../gen/stepwell_api/v1/runs_pb";
import { listedQuery, type RunSearch } from "../../queries/runs";
import { RUNS_PER_CHART_MAX } from "../../queries/samples";
import { groupValues, runIdOf, type GroupRow, type TableRow } from "../../table/rows";
import { useTheme } from "../../theme/theme";
import type { RunsView } from "../../url/runsView";
import type { Asked } from "./asked";
import type { Drawn } from "./useDrawn";
import { searchInside } from "./useRows";

/** As many groups have lines; a chart asks for a hundred runs at most. */
const GROUPS_MAX = 10;
const RUNS_OF_GROUP_MAX = RUNS_PER_CHART_MAX / GROUPS_MAX;
const NOTHING = { params: [], metrics: [], tags: [], summaries: false };

/** The lines of the first groups that are not hidden, each of its first runs; undefined where runs have their own. */
export function useGroupLines(rows: TableRow[], asked: Asked, view: RunsView): Drawn | undefined {
  const { search, shape, by } = asked;
  const isAsked = shape === "groups" && view.lines !== "runs";
  const dark = useTheme() === "dark";
  const groups = useMemo(
    () => (isAsked ? rows.filter((row): row is GroupRow => row.kind === "group") : []),
    [isAsked, rows],
  );
  const hidden = useMemo(() => new Set(view.hidden), [view.hidden]);
  const shown = groups.filter(({ key }) => !hidden.has(key)).slice(0, GROUPS_MAX);
  const found = useQueries({
    queries: shown.map(({ key }) => listedQuery(of(search, by, key), RUNS_OF_GROUP_MAX)),
    combine: (answers) => answers.map(({ data }) => data?.runs),
  });
  return useMemo(() => {
    if (!isAsked) return undefined;
    const colors = groupColors(groups, dark);
    const looks = shown.map(({ key, group }, place) => {
      const runs = found[place] ?? [];
      return [key, { name: named(group, runs), color: colors.get(key) ?? "", startMs: 0 }] as const;
    });
    const ofRuns = shown.flatMap(({ key }, place) => (found[place] ?? []).map((run) => [runIdOf(run), key] as const));
    return {
      runs: found.flatMap((runs) => runs ?? []),
      groups: { of: new Map(ofRuns), looks: new Map(looks) },
      ids: new Set(shown.map(({ key }) => key)),
      colors,
    };
  }, [isAsked, groups, shown.map(({ key }) => key).join(), found, dark]);
}

function of(search: RunSearch, by: string[], key: string): RunSearch {
  return searchInside({ ...search, ...NOTHING }, "groups", by, key);
}

/** What the runs of a group have in common, and how many of them its line is made of. */
function named(group: GroupRow["group"], runs: Run[]): string {
  const name = groupValues(group)
    .map((value) => value ?? "none")
    .join(", ");
  const count = Number(group.runs);
  return runs.length && runs.length < count ? `${name} (${runs.length} of ${count} runs)` : name;
}

/** Colours of groups, in the order of what they have in common, so that they stay however the table is sorted. */
function groupColors(groups: GroupRow[], dark: boolean): Map<string, string> {
  const order = new Intl.Collator("en", { numeric: true }).compare;
  const keys = groups.map(({ key }) => key).sort(order);
  return new Map(keys.map((key, place) => [key, colorOf(place % COLORS, dark)]));
}
