import { create } from "@bufbuild/protobuf";
import { expect, it } from "vitest";

import { RunInfoSchema, RunStatus } from "../gen/stepwell_api/v1/runs_pb";
import { ago, duration, iso, lastedMs, moment } from "./times";

it.each([
  [3_000, "just now"],
  [59_000, "59 s ago"],
  [61_000, "1 min ago"],
  [2 * 3_600_000, "2 h ago"],
  [3 * 86_400_000, "3 d ago"],
])("tells that %d ms ago was %s", (passed, text) => expect(ago(1e12 - passed, 1e12)).toBe(text));

it.each([
  [250, "0.25 s"],
  [9_994, "9.99 s"],
  [65_000, "1 min 5 s"],
  [3_600_000, "1 h"],
  [2 * 86_400_000 + 3 * 3_600_000, "2 d 3 h"],
])("shows %d ms as %s", (length, text) => expect(duration(length)).toBe(text));

it.each([
  [RunStatus.FINISHED, 7_000n, 6_000],
  [RunStatus.RUNNING, undefined, 4_000],
  [RunStatus.SCHEDULED, undefined, undefined],
])("a run of status %d that ended at %s lasted %s ms", (status, endTimeMs, lasted) => {
  const run = create(RunInfoSchema, { status, startTimeMs: 1_000n, endTimeMs });
  expect(lastedMs(run, 5_000)).toBe(lasted);
});

it("a run has not been running for less than nothing by a clock that is behind", () =>
  expect(lastedMs(create(RunInfoSchema, { status: RunStatus.RUNNING, startTimeMs: 9_000n }), 5_000)).toBe(0));

it("gives ISO times with an offset that lead back to the moment", () => {
  expect(new Date(iso(1_700_000_000_123)).getTime()).toBe(1_700_000_000_123);
});

it.each([8.64e15, 1.7e18, 2 ** 63, -1.7e18])("shows a time beyond the calendar, %d, as its number", (time) => {
  const shown = `${time.toLocaleString("en-US")} ms`;
  expect([iso(time), moment(time), ago(time)]).toEqual([shown, shown, shown]);
});
