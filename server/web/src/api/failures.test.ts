import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";

import { isAway, isBroken, isMissing, Refusal } from "./failures";

test("what is asked again is what the server failed in, and no refusal", () => {
  expect(isBroken(new ConnectError("the disk is full", Code.Internal))).toBe(true);
  expect(isBroken(new Refusal(500, "the disk is full"))).toBe(true);
  for (const code of [Code.InvalidArgument, Code.NotFound, Code.PermissionDenied, Code.Unauthenticated])
    expect(isBroken(new ConnectError("no", code))).toBe(false);
  expect(isBroken(new Refusal(403, "no"))).toBe(false);
});

test("nobody answers, or there is no such thing", () => {
  expect(isAway(new ConnectError("stopping", Code.Unavailable))).toBe(true);
  expect(isMissing(new ConnectError("gone", Code.NotFound))).toBe(true);
  expect(isMissing(new Refusal(404, "gone"))).toBe(true);
  expect(isMissing(new Refusal(500, "the disk is full"))).toBe(false);
});
