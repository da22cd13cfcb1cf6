import { expect, it } from "vitest";

import { drawLines } from "./draw";
import { svg, SvgPen } from "./svg";

const series = {
  runId: "a",
  key: "loss",
  from: Float64Array.of(0, 1),
  to: Float64Array.of(0, 1),
  low: Float64Array.of(0, 0),
  high: Float64Array.of(1, 1),
  mean: Float64Array.of(0.5, 0.5),
  odd: Float64Array.of(0, 0),
  count: Float64Array.of(2, 2),
};

it("writes lines as paths, and names as text that is nothing else", () => {
  const name = `</text><script>alert("1")</script>\u0000`;
  const written = svg({
    lines: [{ series, color: "#123456", name, bold: series.mean, isSmoothed: false, dash: [] }],
    look: { band: true, highlighted: null },
    frame: {
      toX: (x) => 10 + 80 * x,
      toY: (y) => 50 - 40 * y,
      left: 10,
      top: 10,
      width: 80,
      height: 40,
      pixelRatio: 1,
    },
    width: 100,
    height: 60,
    title: name,
    colors: { ground: "#fff", grid: "#ddd", text: "#000" },
    x: [{ at: 50, label: "1 < 2" }],
    y: [],
  });
  expect(written).toContain(`<path d="M10 30L90 30" fill="none" stroke="#123456"`);
  expect(written).toContain("1 &#60; 2");
  expect(written).not.toContain("<script");
  expect(written).not.toContain("\u0000");
});

it("draws a line to an extreme that stands out, up or down, and none along an even band", () => {
  const pen = new SvgPen();
  const [low, high] = [Float64Array.of(0, 0, 0, -90, 0), Float64Array.of(2, 90, 2, 2, 2)];
  const x = Float64Array.of(0, 1, 2, 3, 4);
  const mean = Float64Array.of(1, 1, 1, 1, 1);
  drawLines(
    pen,
    [
      {
        series: { ...series, from: x, to: x, low, high, mean, odd: x.map(() => 0), count: x.map(() => 9) },
        color: "#123456",
        name: "",
        bold: mean,
        isSmoothed: false,
        dash: [],
      },
    ],
    { toX: (at) => 10 * at, toY: (at) => 100 - at, left: 0, top: 0, width: 50, height: 200, pixelRatio: 1 },
    { band: true, highlighted: null },
  );
  expect(pen.paths.filter((path) => path.includes("M10 99L10 10M30 99L30 190"))).toHaveLength(1);
});
