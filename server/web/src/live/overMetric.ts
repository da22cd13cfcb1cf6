import { pointBuckets, type Buckets } from "../charts/buckets";
import type { SeriesNews } from "../gen/stepwell_api/v1/series_pb";

/** Steps of a run that are remembered with what the axis was there, and points that wait for it; the oldest go. */
const STEPS_MAX = 500;

interface Ahead {
  key: string;
  step: bigint;
  value: number;
}

/** Points of one metric over another. */
export interface Placed {
  key: string;
  buckets: Buckets;
}

/** Puts points that come over the value of another metric at the same step of the same run, which may come later. */
export class OverMetric {
  private readonly runs = new Map<string, { x: Map<bigint, number>; waiting: Ahead[] }>();

  /** `keys` are the metrics that are drawn. */
  constructor(
    private readonly xKey: string,
    private readonly keys: readonly string[],
  ) {}

  /** The points whose place is known now, by metric; null where only sums are told, which have no steps of their own. */
  take({ runId, key, points }: SeriesNews): Placed[] | null {
    if (!points) return null;
    const run = this.runs.get(runId) ?? { x: new Map<bigint, number>(), waiting: [] };
    this.runs.set(runId, run);
    let ahead: Ahead[] = points.step.map((step, place) => ({ key, step, value: points.value[place] as number }));
    if (key === this.xKey) {
      for (const { step, value } of ahead) run.x.set(step, value);
      forgetOldest(run.x);
      ahead = [...run.waiting, ...(this.keys.includes(key) ? ahead : [])];
      run.waiting = [];
    }
    run.waiting = [...run.waiting, ...ahead.filter(({ step }) => !run.x.has(step))].slice(-STEPS_MAX);
    return placed(
      ahead.filter(({ step }) => Number.isFinite(run.x.get(step))),
      run.x,
    );
  }
}

function placed(points: Ahead[], x: Map<bigint, number>): Placed[] {
  return [...new Set(points.map(({ key }) => key))].map((key) => {
    const own = points.filter((point) => point.key === key);
    const at = Float64Array.from(own, ({ step }) => x.get(step) as number);
    return {
      key,
      buckets: pointBuckets(
        at,
        own.map(({ value }) => value),
      ),
    };
  });
}

function forgetOldest(x: Map<bigint, number>): void {
  for (const step of x.keys()) {
    if (x.size <= STEPS_MAX) return;
    x.delete(step);
  }
}
