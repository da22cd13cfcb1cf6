import { expect, test } from "vitest";

import { snippets } from "./snippets";

const FILE = {
  flavors: ["sklearn", "python_function"],
  bytes: null,
  schema: { inputs: [{ name: 'a"b', type: "double", isRequired: true }], outputs: [], params: [] },
};

test("loading, the library's own way and serving", () => {
  const [load, own, serve] = snippets("models:/fraud/3", "http://127.0.0.1:5000", FILE);
  expect(load?.text).toContain('stepwell.pyfunc.load_model("models:/fraud/3")');
  expect(load?.text).toContain('pd.DataFrame({"a\\"b": [1.0]})');
  expect(own?.text).toContain("stepwell.sklearn.load_model");
  expect(serve?.text).toContain("-m 'models:/fraud/3'");
});

test("a name cannot leave its quotes", () => {
  const [load, serve] = snippets(`models:/a"); evil('b'; rm -rf ~/1`, "http://h", undefined);
  expect(load?.text).toContain(`load_model("models:/a\\"); evil('b'; rm -rf ~/1")`);
  expect(serve?.text).toContain(`'models:/a"); evil('\\''b'\\''; rm -rf ~/1'`);
});
