import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";

import { LoggedModelSchema } from "../gen/stepwell_api/v1/models_pb";
import { comparedVersions } from "./compared";
import type { ModelFile } from "./modelFile";

const model = (depth: string, accuracy: number) =>
  create(LoggedModelSchema, {
    params: [{ key: "depth", value: depth }],
    metrics: [
      { key: "accuracy", value: 0, timestampMs: 1n },
      { key: "accuracy", value: accuracy, timestampMs: 2n },
    ],
  });
const file = (type: string): ModelFile => ({
  flavors: [],
  bytes: null,
  schema: { inputs: [{ name: "a", type, isRequired: true }], outputs: [], params: [] },
});

test("what differs, of what was logged and of the schema", () => {
  const [params, metrics, inputs, outputs] = comparedVersions([
    { model: model("3", 0.9), file: file("double") },
    { model: model("3", 0.8), file: file("long") },
    { model: undefined, file: undefined },
  ]);
  expect(params?.rows).toEqual([{ key: "depth", values: ["3", "3", undefined], differs: true }]);
  expect(metrics?.rows[0]?.values).toEqual([0.9, 0.8, undefined]);
  expect(inputs?.rows).toEqual([{ key: "a", values: ["double", "long", undefined], differs: true }]);
  expect(outputs?.rows).toEqual([]);
});
