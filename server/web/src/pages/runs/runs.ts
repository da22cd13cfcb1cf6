import { useMemo } from "react";

import { colorNumber, colorOf, COLORS } from "../../charts/colors";
import type { Run } from "../../gen/stepwell_api/v1/runs_pb";
import { useTheme } from "../../theme/theme";

/** Tag of a run that holds the colour that somebody chose for it; MLflow's name. */
export const COLOR_TAG = "mlflow.runColor";
const REMEMBERED_MAX = 100_000;

/** The numbers that runs got in this tab: a run keeps its colour whatever else is loaded or how it is sorted. */
const given = new Map<string, number>();

/** The colour of each run: the one that was chosen, its own, or the next that none of the runs around it has. */
export function useRunColors(runs: Run[]): Map<string, string> {
  const dark = useTheme() === "dark";
  return useMemo(() => {
    if (given.size > REMEMBERED_MAX) given.clear();
    const fresh = runs.map((run) => run.info?.runId ?? "").filter((id) => id && !given.has(id));
    const recent: number[] = [];
    // In the order of their ids, so that the same runs get the same colours whatever they are sorted by.
    for (const id of fresh.sort()) {
      let number = colorNumber(id);
      while (recent.includes(number)) number = (number + 1) % COLORS;
      recent.push(number);
      if (recent.length === COLORS) recent.shift();
      given.set(id, number);
    }
    return new Map(
      runs.map((run) => {
        const id = run.info?.runId ?? "";
        return [id, chosenColor(run, dark) ?? colorOf(given.get(id) ?? 0, dark)];
      }),
    );
  }, [runs, dark]);
}

/** A colour of the palette by its number, so that it suits both themes; or any that MLflow wrote. */
function chosenColor(run: Run, dark: boolean): string | undefined {
  const text = run.tags.find((tag) => tag.key === COLOR_TAG)?.value ?? "";
  const number = PALETTE.indexOf(text.toLowerCase());
  if (number >= 0) return colorOf(number, dark);
  return /^#[0-9a-f]{6}$/i.test(text) ? text : undefined;
}

/** The colours that may be chosen, as tags have them. */
export const PALETTE: readonly string[] = Array.from({ length: COLORS }, (_, number) => colorOf(number, false));
