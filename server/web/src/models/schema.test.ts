import { expect, test } from "vitest";

import { readDatasetSchema } from "./schema";

test("columns of a table", () => {
  const schema = { mlflow_colspec: [{ type: "long", name: "age", required: true }] };
  expect(readDatasetSchema(JSON.stringify(schema))).toEqual([
    { title: "Columns", columns: [{ name: "age", type: "long", isRequired: true }] },
  ]);
});

test("arrays, whose features MLflow writes as JSON within JSON", () => {
  const array = [{ type: "tensor", "tensor-spec": { dtype: "float64", shape: [-1, 28, 28] } }];
  const expected = [
    { title: "Features", columns: [{ name: "", type: "tensor float64 (-1, 28, 28)", isRequired: true }] },
  ];
  for (const features of [array, JSON.stringify(array)]) {
    const schema = { mlflow_tensorspec: { features, targets: null } };
    expect(readDatasetSchema(JSON.stringify(schema))).toEqual(expected);
  }
});

test("what is in another form is shown as it is", () => {
  for (const text of ["{}", "[]", "no JSON", '{"mlflow_colspec": "no JSON"}'])
    expect(readDatasetSchema(text)).toBeNull();
});
