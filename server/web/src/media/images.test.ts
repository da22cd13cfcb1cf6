import { expect, it } from "vitest";

import { imageAt, imageSeries, stepsOf } from "./images";

const paths = [
  "images/val#mask%step%10%timestamp%5%k1.png",
  "images/val#mask%step%10%timestamp%5%k1%compressed.webp",
  "images/val#mask%step%-2%timestamp%9%k2.png",
  "images/a%step%4611686018427387905%timestamp%1%k3.png",
  "images/old+step+7+timestamp+1+k4.png",
  "images/plain.png",
  "images/a%step%99999999999999999999%timestamp%1%k.png",
];

it("finds pictures by key and step, each with its small copy", () => {
  const series = imageSeries(paths);
  expect(series.map(({ key }) => key)).toEqual(["a", "old", "val/mask"]);
  expect(series[2]?.images.map(({ step }) => step)).toEqual([-2n, 10n]);
  expect(series[2]?.images[1]?.thumbnail).toBe(paths[1]);
  expect(series[0]?.images[0]?.thumbnail).toBe(paths[3]);
  expect(stepsOf(series)).toEqual([-2n, 7n, 10n, 4611686018427387905n]);
});

it("shows the last picture that is not behind a step", () => {
  const [, , mask] = imageSeries(paths);
  if (!mask) throw new Error("there is one");
  expect([-3n, -2n, 9n, 10n, 99n].map((step) => imageAt(mask, step)?.step)).toEqual([undefined, -2n, -2n, 10n, 10n]);
});
