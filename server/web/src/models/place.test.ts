import { expect, test } from "vitest";

import { placeOf } from "./place";

const ID = "0123456789abcdef0123456789abcdef";

test.each([
  [`runs:/${ID}/model`, "", { owner: ID, folder: "model" }],
  [`models:/m-${ID}`, "", { owner: `m-${ID}`, folder: "" }],
  ["models:/other/3", `stepwell-artifacts:/1/models/m-${ID}/artifacts`, { owner: `m-${ID}`, folder: "" }],
  ["models:/other/3", `stepwell-artifacts:/1/${ID}/artifacts/a/b/`, { owner: ID, folder: "a/b" }],
  ["s3://bucket/model", "s3://bucket/model", null],
])("%s in %s", (source, storageUri, place) => {
  expect(placeOf({ source, storageUri })).toEqual(place);
});
