import { expect, it } from "vitest";

import type { Run } from "../gen/stepwell_api/v1/runs_pb";
import { tablesOf } from "./tables";

const run = (value: string) => ({ tags: [{ key: "mlflow.loggedArtifacts", value }] }) as Run;

it("finds the tables of runs, each once", () => {
  const one = run('[{"path": "eval/10.json", "type": "table"}, {"path": "eval/2.json", "type": "table"}]');
  const other = run('[{"path": "eval/2.json", "type": "table"}, {"path": "a.png", "type": "image"}]');
  expect(tablesOf([one, other, { tags: [] } as unknown as Run])).toEqual(["eval/2.json", "eval/10.json"]);
});

it.each(["", "{", "{}", "[null, 3, [], {}]", '[{"type": "table", "path": 3}]'])("finds none in %j", (value) =>
  expect(tablesOf([run(value)])).toEqual([]),
);
