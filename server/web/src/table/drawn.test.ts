import { describe, expect, it } from "vitest";

import type { Run } from "../gen/stepwell_api/v1/runs_pb";
import { drawnRuns, toggled } from "./drawn";
import { runIdOf } from "./rows";

const runs = Array.from({ length: 200 }, (_, number) => ({ info: { runId: `run ${number}` } }) as Run);
const ids = (view: Parameters<typeof drawnRuns>[1]) => drawnRuns(runs, view).map(runIdOf);

describe("runs in the charts", () => {
  it("are the first twenty until somebody marks others", () => {
    expect(ids({})).toEqual(runs.slice(0, 20).map(runIdOf));
    const view = toggled({}, "run 150", true);
    expect([ids(view).length, ids(view).at(-1)]).toEqual([21, "run 150"]);
    expect(ids(toggled(view, "run 150", false))).toEqual(ids({}));
  });

  it("are no more than a hundred", () => expect(ids({ shown: runs.map(runIdOf) }).length).toBe(100));

  it("make room where one is hidden", () => {
    const view = toggled({}, "run 0", false);
    expect([ids(view)[0], ids(view).at(-1)]).toEqual(["run 1", "run 20"]);
    expect(ids(toggled(view, "run 0", true))[0]).toBe("run 0");
  });
});
