import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";

import type { Run } from "../gen/stepwell_api/v1/runs_pb";
import { useChanges } from "./live";
import { isRunning } from "./run";

/**
 * Asks once more for what is shown of a run when it has ended: the end may be known before what came last, and from
 * then on nobody asks. And for all of it when it changes, as one does that is resumed or deleted elsewhere.
 */
export function useLooksAgain(runs: Run[]): void {
  const client = useQueryClient();
  const running = useRef<string[]>([]);
  useEffect(() => {
    const now = runs.filter(isRunning).map(({ info }) => info?.runId ?? "");
    const ended = running.current.filter((runId) => !now.includes(runId));
    running.current = now;
    // Charts ask by themselves.
    for (const runId of ended)
      void client.invalidateQueries({ predicate: ({ queryKey: [what, of] }) => of === runId && what !== "run" });
  });
  const changes = useChanges([...new Set(runs.map(({ info }) => info?.experimentId ?? 0n))], true);
  useEffect(() => {
    if (!changes || (changes.complete && changes.runIds.length === 0)) return;
    const ids = new Set(runs.map(({ info }) => info?.runId ?? ""));
    const changed = changes.complete ? new Set(changes.runIds.filter((id) => ids.has(id))) : ids;
    // Which runs were started in one, the others tell.
    const isStale = (what: unknown, of: unknown) =>
      changed.has(String(of)) || (what === "children" && ids.has(String(of)));
    void client.invalidateQueries({ predicate: ({ queryKey: [what, of] }) => isStale(what, of) });
    if (changed.size > 0) void client.invalidateQueries({ queryKey: ["runs", "whole"] });
  }, [changes]);
}
