import { useQueries } from "@tanstack/react-query";

import type { Run } from "../gen/stepwell_api/v1/runs_pb";
import { runQuery } from "./run";

/** Runs of an address, compared at once; more would be a table of thousands of columns. */
export const COMPARED_MAX = 100;

/** The runs that are compared, in order; an error when one of them cannot be had. */
export function useCompared(runIds: string[]): { runs: Run[]; isPending: boolean; error: unknown } {
  return useQueries({
    queries: runIds.slice(0, COMPARED_MAX).map((runId) => runQuery(runId)),
    combine: (answers) => ({
      runs: answers.map(({ data }) => data).filter((run) => run !== undefined),
      isPending: answers.some((answer) => answer.isPending),
      error: answers.find((answer) => answer.isError)?.error ?? null,
    }),
  });
}
