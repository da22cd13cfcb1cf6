import { useMemo } from "react";

import { colorNumber, colorOf, COLORS } from "../../charts/colors";
import type { Run } from "../../gen/stepwell_api/v1/runs_pb";
import { useTheme } from "../../theme/theme";

/** The colour of each run: its own, or the next that none of the runs around it has. */
export function useRunColors(runs: Run[]): Map<string, string> {
  const dark = useTheme() === "dark";
  return useMemo(() => {
    const colors = new Map<string, string>();
    const recent: number[] = [];
    // In the order of their ids, so that sorting the table changes no colour.
    const inOrder = [...runs].sort((a, b) => ((a.info?.runId ?? "") < (b.info?.runId ?? "") ? -1 : 1));
    for (const { info } of inOrder) {
      if (!info) continue;
      let number = colorNumber(info.runId);
      while (recent.includes(number)) number = (number + 1) % COLORS;
      recent.push(number);
      if (recent.length === COLORS) recent.shift();
      colors.set(info.runId, colorOf(number, dark));
    }
    return colors;
  }, [runs, dark]);
}
