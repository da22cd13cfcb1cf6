import { describe, expect, it } from "vitest";

import type { SeriesNews } from "../gen/stepwell_api/v1/series_pb";
import { OverMetric } from "./overMetric";

const news = (key: string, step: bigint[], value: number[], runId = "a") =>
  ({ runId, key, restarted: false, points: { step, timestampMs: step, value } }) as unknown as SeriesNews;
const told = (over: OverMetric, given: SeriesNews) =>
  over.take(given)?.map(({ key, buckets }) => [key, [...buckets.from], [...buckets.mean]]);

describe("points over another metric", () => {
  it("stand where that was at their step, whichever comes first", () => {
    const over = new OverMetric("tokens", ["loss"]);
    expect(told(over, news("loss", [1n, 2n], [0.5, 0.4]))).toEqual([]);
    expect(told(over, news("tokens", [2n, 1n], [200, 100]))).toEqual([["loss", [100, 200], [0.5, 0.4]]]);
    expect(told(over, news("loss", [2n], [0.3]))).toEqual([["loss", [200], [0.3]]]);
    expect(told(over, news("loss", [2n], [0.3], "another run"))).toEqual([]);
  });

  it("draw the axis over itself only where that is asked for", () => {
    expect(told(new OverMetric("tokens", ["tokens"]), news("tokens", [1n], [100]))).toEqual([["tokens", [100], [100]]]);
    expect(told(new OverMetric("tokens", []), news("tokens", [1n], [100]))).toEqual([]);
  });

  it("leave out what has no finite place", () => {
    const over = new OverMetric("tokens", ["loss"]);
    over.take(news("tokens", [1n], [Number.NaN]));
    expect(told(over, news("loss", [1n], [0.5]))).toEqual([]);
  });

  it("know no places of sums", () => {
    expect(new OverMetric("tokens", ["loss"]).take({ ...news("loss", [], []), points: undefined })).toBeNull();
  });

  it("remember so many steps", () => {
    const over = new OverMetric("tokens", ["loss"]);
    for (let step = 0n; step < 2_000n; step++) over.take(news("tokens", [step], [Number(step)]));
    expect(told(over, news("loss", [0n, 1_999n], [1, 2]))).toEqual([["loss", [1_999], [2]]]);
  });
});
