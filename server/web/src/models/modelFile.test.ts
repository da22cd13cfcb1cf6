import { expect, test } from "vitest";

import { readModelFile } from "./modelFile";

const FILE = `flavors:
  python_function:
    loader_module: mlflow.sklearn
  sklearn:
    serialization_format: cloudpickle
model_size_bytes: 1200
signature:
  inputs: '[{"type": "double", "name": "a", "required": true}, {"type": "array", "items": {"type": "long"}, "name": "b", "required": false}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 3]}}]'
  params: '[{"name": "beam", "default": 4, "shape": null, "type": "long"}]'
`;

test("flavors, the generic one last, and the signature", () => {
  const file = readModelFile(FILE);
  expect(file.flavors).toEqual(["sklearn", "python_function"]);
  expect(file.bytes).toBe(1200);
  expect(file.schema?.inputs).toEqual([
    { name: "a", type: "double", isRequired: true },
    { name: "b", type: "array<long>", isRequired: false },
  ]);
  expect(file.schema?.outputs).toEqual([{ name: "", type: "tensor float32 (-1, 3)", isRequired: true }]);
  expect(file.schema?.params).toEqual([{ name: "beam", type: "long", isRequired: false, fallback: "4" }]);
});

test("nested types are written out", () => {
  const inputs = JSON.stringify([
    { type: "object", name: "o", properties: { x: { type: "string" }, y: { type: "any", required: false } } },
    { type: "map", name: "m", values: { type: "boolean" } },
  ]);
  const file = readModelFile(`signature:\n  inputs: '${inputs}'\n`);
  expect(file.schema?.inputs.map(({ type }) => type)).toEqual(["{x: string, y?: any}", "map<string, boolean>"]);
});

test("a model without a signature has none, and what is no model file is told", () => {
  expect(readModelFile("flavors: {}").schema).toBeNull();
  expect(() => readModelFile("a: [")).toThrow();
});
