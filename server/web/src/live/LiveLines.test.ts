import { beforeEach, describe, expect, it, vi } from "vitest";

import { toColumns, valueColumns } from "../charts/series";
import type { SeriesNews } from "../gen/stepwell_api/v1/series_pb";
import { LiveLines, type Shown } from "./LiveLines";

const sample = (xs: bigint[], values: number[]) => ({
  run: 0,
  key: 0,
  firstX: xs,
  lastX: xs,
  minimum: values,
  maximum: values,
  mean: values,
  count: xs.map(() => 1n),
  nonFiniteCount: xs.map(() => 0n),
  firstXValue: [],
  lastXValue: [],
});

const news = (steps: bigint[], values: number[], more: Partial<SeriesNews> = {}) =>
  ({
    runId: "a",
    key: "loss",
    restarted: false,
    points: { step: steps, timestampMs: steps, value: values },
    ...more,
  }) as SeriesNews;

const shown: Shown = { axis: "step", bounds: null, buckets: 100, keys: ["loss"], startOf: () => 5 };
const began = (given: Partial<Shown> = {}) => {
  const lines = new LiveLines({ ...shown, ...given });
  lines.answer(toColumns([sample([0n, 1n], [1, 2])], ["a"], ["loss"]));
  return lines;
};
const steps = (lines: LiveLines) => [...(lines.columns?.series[0]?.from ?? [])];

describe("lines", () => {
  beforeEach(() => void vi.useFakeTimers());

  it("grow by what comes, in whatever order", () => {
    const lines = began();
    vi.advanceTimersByTime(5_000);
    expect(lines.take(news([2n, 4n], [3, Number.NaN]))).toBe(true);
    lines.take(news([3n, 3n, 1n], [1, 5, 4]));
    const line = lines.columns?.series[0];
    expect(steps(lines)).toEqual([0, 1, 2, 3, 4]);
    expect([...(line?.mean ?? [])]).toEqual([1, 3, 3, 3, Number.NaN]);
    expect([line?.low[3], line?.high[3], line?.count[3], line?.odd[4]]).toEqual([1, 5, 2, 1]);
  });

  it("leave out what an answer just had", () => {
    const lines = began();
    expect(lines.take(news([0n, 1n], [1, 2]))).toBe(false);
    expect([steps(lines), lines.isUnsure]).toEqual([[0, 1], true]);
  });

  it("keep what came while the server was asked", () => {
    const lines = began();
    lines.ask();
    lines.take(news([1n, 2n], [2, 3]));
    expect(steps(lines)).toEqual([0, 1, 2]);
    lines.answer(toColumns([sample([0n, 1n], [1, 2])], ["a"], ["loss"]));
    expect(steps(lines)).toEqual([0, 1, 2]);
  });

  it("never have many more buckets than were asked for, and lose no spike and no point", () => {
    const lines = began();
    vi.advanceTimersByTime(5_000);
    for (let at = 2; at < 10_002; at += 50) {
      const xs = Array.from({ length: 50 }, (_, place) => BigInt(at + place));
      lines.take(
        news(
          xs,
          xs.map((x) => (x === 5_000n ? 99 : 1)),
        ),
      );
    }
    const line = lines.columns?.series[0];
    expect(line?.from.length).toBeLessThanOrEqual(201);
    expect(Math.max(...(line?.high ?? []))).toBe(99);
    expect(line?.count.reduce((sum, count) => sum + count)).toBe(10_002);
    expect(line?.to.at(-1)).toBe(10_001);
  });

  it("begin with the first points there are, however far out", () => {
    const lines = new LiveLines(shown);
    lines.answer({ base: 0n, series: [] });
    lines.take(news([2n ** 62n, 2n ** 62n + 1n], [1, 2]));
    expect([lines.columns?.base, steps(lines)]).toEqual([2n ** 62n, [0, 1]]);
  });

  it("stay inside of what is zoomed into", () => {
    const lines = began({ bounds: { from: 0n, to: 3n } });
    lines.take(news([3n, 4n], [3, 4]));
    expect(steps(lines)).toEqual([0, 1, 3]);
  });

  it("are over the time since the start of their run", () => {
    const lines = began({ axis: "relative" });
    lines.take(news([9n], [3]));
    expect(steps(lines)).toEqual([0, 1, 4]);
  });

  it("are over another metric, wherever that is", () => {
    const lines = new LiveLines({ ...shown, axis: "metric:tokens" });
    lines.answer(
      valueColumns([{ ...sample([1n, 2n], [1, 2]), firstXValue: [100, 200], lastXValue: [100, 200] }], ["a"], ["loss"]),
    );
    expect(lines.take(news([7n], [5]))).toBe(false);
    expect(lines.take(news([7n], [150], { key: "tokens" }))).toBe(true);
    expect([steps(lines), [...(lines.columns?.series[0]?.mean ?? [])]]).toEqual([
      [100, 150, 200],
      [1, 5, 2],
    ]);
    expect(lines.columns?.series.length).toBe(1);
  });

  it("ask again where a series began anew, or only parts over steps are known", () => {
    const again = began();
    again.take(news([2n], [3], { restarted: true }));
    const parts = began({ axis: "time" });
    parts.take({ ...news([], []), points: undefined, parts: sample([2n], [3]) } as unknown as SeriesNews);
    expect([again.isStale, parts.isStale]).toEqual([true, true]);
  });
});
