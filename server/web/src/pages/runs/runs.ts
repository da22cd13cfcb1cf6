import { useMemo } from "react";

import { colorNumber, colorOf, COLORS } from "../../charts/colors";
import type { Run } from "../../gen/stepwell_api/v1/runs_pb";
import { useTheme } from "../../theme/theme";

/** The colour of each run: its own, or the next that none of its neighbours in the list has. */
export function useRunColors(runs: Run[]): Map<string, string> {
  const dark = useTheme() === "dark";
  return useMemo(() => {
    const colors = new Map<string, string>();
    const recent: number[] = [];
    for (const { info } of runs) {
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
