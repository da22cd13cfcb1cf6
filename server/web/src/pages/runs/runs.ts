import { useMemo, useRef } from "react";

import { colorOf, COLORS, giveColors } from "../../charts/colors";
import type { Run } from "../../gen/stepwell_api/v1/runs_pb";
import { runIdOf } from "../../table/rows";
import { useTheme } from "../../theme/theme";

/** Tag of a run that holds the colour that somebody chose for it; MLflow's name. */
export const COLOR_TAG = "mlflow.runColor";
const REMEMBERED_MAX = 100_000;

/** The numbers that runs got in this tab: a run keeps its colour whatever else is loaded or how it is sorted. */
const given = new Map<string, number>();

/** The colour of each run: the one that was chosen, its own, or one that fewer of the runs that are drawn have. */
export function useRunColors(runs: Run[], drawn: Run[]): Map<string, string> {
  const dark = useTheme() === "dark";
  const before = useRef<ReadonlySet<string>>(new Set());
  return useMemo(() => {
    if (given.size > REMEMBERED_MAX) given.clear();
    const chosen = new Map(runs.flatMap((run) => chosenNumber(run)));
    const inView = drawn.map(runIdOf);
    const kept = inView.filter((id) => before.current.has(id) && given.has(id));
    const coming = inView.filter((id) => !kept.includes(id));
    before.current = new Set(inView);
    giveColors(given, { kept, coming, rest: runs.map(runIdOf) }, chosen);
    return new Map(
      runs.map((run) => [runIdOf(run), chosenColor(run, dark) ?? colorOf(given.get(runIdOf(run)) ?? 0, dark)]),
    );
  }, [runs, drawn, dark]);
}

/** A colour of the palette by its number, so that it suits both themes; or any that MLflow wrote. */
function chosenColor(run: Run, dark: boolean): string | undefined {
  const [chosen] = chosenNumber(run);
  if (chosen) return colorOf(chosen[1], dark);
  const text = chosenText(run);
  return /^#[0-9a-f]{6}$/i.test(text) ? text : undefined;
}

const chosenText = (run: Run): string => run.tags.find((tag) => tag.key === COLOR_TAG)?.value ?? "";

/** A run's id with the number of the colour that was chosen for it, if it is one of the palette. */
function chosenNumber(run: Run): [string, number][] {
  const number = PALETTE.indexOf(chosenText(run).toLowerCase());
  return number >= 0 ? [[runIdOf(run), number]] : [];
}

/** The colours that may be chosen, as tags have them. */
export const PALETTE: readonly string[] = Array.from({ length: COLORS }, (_, number) => colorOf(number, false));
