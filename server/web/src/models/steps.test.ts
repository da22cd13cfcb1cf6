import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";

import { LoggedModelSchema } from "../gen/stepwell_api/v1/models_pb";
import { stepCharts } from "./steps";

test("models of one name and run are a line by step, whatever their order", () => {
  const model = (sourceRunId: string, step: bigint, value: number, datasetName = "") =>
    create(LoggedModelSchema, { name: "net", sourceRunId, metrics: [{ key: "acc", step, value, datasetName }] });
  const charts = stepCharts([
    model("a", 20n, 0.9),
    model("a", 2n ** 60n, 0.7),
    model("a", -1n, 0.1),
    model("b", 5n, 0.4),
    model("b", 6n, Number.NaN),
    model("b", 5n, 0.5, "test"),
  ]);
  expect(charts.map(({ title }) => title)).toEqual(["acc", "acc on test"]);
  expect(charts[0]?.lines.map(({ points }) => points.map(({ step }) => step))).toEqual([[-1n, 20n, 2n ** 60n], [5n]]);
});
