import { lazy, Suspense } from "react";

import type { Experiment } from "../../gen/stepwell_api/v1/runs_pb";

// Who only looks need not have it.
const Share = lazy(() => import("./Share").then(({ Share }) => ({ default: Share })));

export function ShareExperiment({ experiment, onClose }: { experiment: Experiment; onClose: () => void }) {
  const thing = { case: "experimentId", value: experiment.experimentId } as const;
  return (
    <Suspense>
      <Share thing={thing} title={experiment.name} onClose={onClose} />
    </Suspense>
  );
}
