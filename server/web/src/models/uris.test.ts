import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";

import { ModelVersionSchema } from "../gen/stepwell_api/v1/registry_pb";
import { urisOf } from "./uris";

const version = (number: number, stage: string, aliases: string[] = []) =>
  create(ModelVersionSchema, { name: "fraud", version: number, stage, aliases });

test("number, aliases and the stage in which it is the newest", () => {
  const model = { latestVersions: [version(1, "None"), version(3, "Production")] };
  expect(urisOf(version(3, "Production", ["champion"]), model)).toEqual([
    "models:/fraud/3",
    "models:/fraud@champion",
    "models:/fraud/Production",
  ]);
  expect(urisOf(version(2, "Production"), model)).toEqual(["models:/fraud/2"]);
  expect(urisOf(version(1, "None"), model)).toEqual(["models:/fraud/1"]);
});
