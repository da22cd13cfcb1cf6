import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";

import type { Run } from "../gen/stepwell_api/v1/runs_pb";
import { isRunning } from "./run";

/**
 * Asks once more for what is shown of a run when it has ended: the end may be known before what came last, and from
 * then on nobody asks. Charts do so themselves.
 */
export function useLastLook(runs: Run[]): void {
  const client = useQueryClient();
  const running = useRef<string[]>([]);
  useEffect(() => {
    const now = runs.filter(isRunning).map(({ info }) => info?.runId ?? "");
    const ended = running.current.filter((runId) => !now.includes(runId));
    running.current = now;
    for (const runId of ended)
      void client.invalidateQueries({ predicate: ({ queryKey: [what, of] }) => of === runId && what !== "run" });
  });
}
