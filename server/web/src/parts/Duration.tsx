import { useEffect, useState } from "react";

import { duration, lastedMs } from "../format/times";
import type { RunInfo } from "../gen/stepwell_api/v1/runs_pb";

const TICK_MS = 1_000;

/** How long a run took; of one at work, how long it has been running so far, which goes on. */
export function Duration({ info }: { info: RunInfo }) {
  const [nowMs, setNowMs] = useState(Date.now);
  const isGoing = info.endTimeMs === undefined && lastedMs(info) !== undefined;
  useEffect(() => {
    if (!isGoing) return;
    const ticking = setInterval(() => setNowMs(Date.now()), TICK_MS);
    return () => clearInterval(ticking);
  }, [isGoing]);
  const lengthMs = lastedMs(info, nowMs);
  if (lengthMs === undefined) return <>–</>;
  return <>{duration(isGoing ? Math.floor(lengthMs / 1_000) * 1_000 : lengthMs)}</>;
}
