import { useMemo } from "react";

import { colorOf, COLORS } from "../../charts/colors";
import { GROUPS_PER_CHART_MAX } from "../../queries/groupLines";
import type { GroupRow, TableRow } from "../../table/rows";
import { useTheme } from "../../theme/theme";
import type { RunsView } from "../../url/runsView";
import type { Asked } from "./asked";
import type { Drawn } from "./useDrawn";
import { searchInside } from "./useRows";

/** The lines of the first groups that are not hidden; undefined where runs have their own. */
export function useGroupLines(rows: TableRow[], asked: Asked, view: RunsView): Drawn | undefined {
  const { search, shape, by, scope } = asked;
  const isAsked = shape === "groups" && view.lines !== "runs";
  const dark = useTheme() === "dark";
  const groups = useMemo(
    () => (isAsked ? rows.filter((row): row is GroupRow => row.kind === "group") : []),
    [isAsked, rows],
  );
  const hidden = useMemo(() => new Set(view.hidden), [view.hidden]);
  const keys = groups
    .map(({ key }) => key)
    .filter((key) => !hidden.has(key))
    .slice(0, GROUPS_PER_CHART_MAX);
  const colors = useMemo(() => groupColors(groups, dark), [groups.map(({ key }) => key).join(), dark]);
  return useMemo(() => {
    if (!isAsked) return undefined;
    const looks = keys.map((key) => [key, { name: named(key), color: colors.get(key) ?? "", startMs: 0 }] as const);
    const filters = keys.map((key) => searchInside(search, "groups", by, key).filter);
    return { runs: [], groups: { scope, filters, looks: new Map(looks) }, ids: new Set(keys), colors };
  }, [isAsked, keys.join(), search.filter, by, scope, colors]);
}

/** What the runs of a group have in common. */
function named(key: string): string {
  const values = JSON.parse(key) as (string | null)[];
  return values.map((value) => value ?? "none").join(", ");
}

/** Colours of groups, in the order of what they have in common, so that they stay however the table is sorted. */
function groupColors(groups: GroupRow[], dark: boolean): Map<string, string> {
  const order = new Intl.Collator("en", { numeric: true }).compare;
  const keys = groups.map(({ key }) => key).sort(order);
  return new Map(keys.map((key, place) => [key, colorOf(place % COLORS, dark)]));
}
