import { create } from "@bufbuild/protobuf";
import { expect, it } from "vitest";

import { RunSchema } from "../gen/stepwell_api/v1/runs_pb";
import { compared } from "./rows";

const run = (lr: string, loss: number, tag?: string) =>
  create(RunSchema, {
    params: [
      { key: "lr", value: lr },
      { key: "same", value: "x" },
    ],
    metrics: [{ key: "loss", value: loss }],
    tags: [{ key: "mlflow.user", value: lr }, ...(tag ? [{ key: "team", value: tag }] : [])],
  });

it("puts values side by side and tells what differs", () => {
  expect(compared([run("1", Number.NaN), run("2", Number.NaN, "a")])).toEqual([
    { kind: "params", key: "lr", values: ["1", "2"], differs: true },
    { kind: "params", key: "same", values: ["x", "x"], differs: false },
    { kind: "metrics", key: "loss", values: [Number.NaN, Number.NaN], differs: false },
    { kind: "tags", key: "team", values: [undefined, "a"], differs: true },
  ]);
});
