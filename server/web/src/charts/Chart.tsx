import { useEffect, useMemo, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

import { counted } from "../format/numbers";
import { useTheme } from "../theme/theme";
import styles from "./Chart.module.css";
import { drawLines, type Frame, type Line } from "./draw";
import type { Spread } from "./groups";
import { toLines } from "./lines";
import { rangeOfX, rangeOfY, type Range } from "./ranges";
import { nearest, type Columns } from "./series";
import { offerSvg, svg, ticksOf, type Picture } from "./svg";
import { axisName, metricOf, valueLabels, xLabel, type Axis } from "./ticks";
import { Tooltip, type Hover } from "./Tooltip";

/** How a chart is drawn; the same for all charts of a page. */
export interface ChartLook {
  axis: Axis;
  logX: boolean;
  logY: boolean;
  band: boolean;
  ignoreOutliers: boolean;
  /** From 0, which is off, to below 1. */
  smoothing: number;
  /** Points that a resume hides are drawn, too. */
  withHidden: boolean;
  /** What the band of a group of runs is. */
  spread: Spread;
}

export interface RunLook {
  name: string;
  color: string;
  /** When the run started, in milliseconds since the epoch. */
  startMs: number;
}

interface Props {
  columns: Columns;
  look: ChartLook;
  runs: Map<string, RunLook>;
  width: number;
  height: number;
  /** Charts with the same key show their cursors at the same x. */
  syncKey: string;
  /** The part of x to show, as distances; null for all. */
  zoom: Range | null;
  onZoom: (range: Range | null) => void;
}

const DIGIT_PX = 6.2;
const CURSOR_DISTANCE_MAX_PX = 40;
const STEP_DISTANCES = Array.from({ length: 19 }, (_, power) => [1, 2, 5].map((first) => first * 10 ** power)).flat();

/** A line chart: pixels from columns, a look and a size. What is hovered is its only state. */
export function Chart({ columns, look, runs, width, height, syncKey, zoom, onZoom }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const theme = useTheme();
  const [hover, setHover] = useState<Hover | null>(null);
  const lines = useMemo(() => toLines(columns, look, runs, theme === "dark"), [columns, look, runs, theme]);
  // What the hooks of uPlot read; they outlive a render.
  const now = useRef({ lines, look, hover, columns, zoom, onZoom });
  now.current = { lines, look, hover, columns, zoom, onZoom };

  // A new plot only where its axes change; the rest is redrawn.
  useEffect(() => {
    if (!place.current) return;
    const made = new uPlot(
      options({ width, height, syncKey, look, now, setHover }),
      [[0, 1], [null, null] as (number | null)[]],
      place.current,
    );
    plot.current = made;
    offerSvg(place.current, () => svg(pictureOf(made, now.current)));
    return () => made.destroy();
  }, [theme, look.axis, look.logX, look.logY, syncKey]);

  useEffect(() => plot.current?.setSize({ width, height }), [width, height]);
  useEffect(() => {
    const shown = plot.current;
    if (!shown) return;
    const [low, high] = zoom ?? rangeOfX(columns.series);
    const x = look.logX ? positive(low, high, look.axis) : ([low, high] as Range);
    shown.batch(() => {
      shown.setScale("x", { min: x[0], max: x[1] });
      const [min, max] = rangeOfY(columns.series, { log: look.logY, ignoreOutliers: look.ignoreOutliers });
      shown.setScale("y", { min, max });
    });
    shown.redraw(false, true);
  }, [lines, zoom, look, columns, theme]);
  const highlighted = hover?.runId ?? null;
  useEffect(() => plot.current?.redraw(false, false), [highlighted]);

  return (
    <div
      ref={place}
      className={styles.chart}
      style={{ height }}
      role="img"
      aria-label={`${counted(columns.series.length, "line")} over ${axisName(look.axis)}`}
      onDoubleClick={() => onZoom(null)}
    >
      {hover && <Tooltip hover={hover} columns={columns} lines={lines} axis={look.axis} width={width} />}
    </div>
  );
}

interface Now {
  lines: Line[];
  look: ChartLook;
  hover: Hover | null;
  columns: Columns;
  zoom: Range | null;
  onZoom: (range: Range | null) => void;
}

interface Setup {
  width: number;
  height: number;
  syncKey: string;
  look: ChartLook;
  now: { current: Now };
  setHover: (hover: Hover | null) => void;
}

function options({ width, height, syncKey, look, now, setHover }: Setup): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const color = (name: string) => style.getPropertyValue(name).trim();
  const axis: uPlot.Axis = {
    stroke: color("--text-faint"),
    grid: { stroke: color("--line"), width: 1 },
    ticks: { show: false },
    font: "11px system-ui, sans-serif",
  };
  return {
    width,
    height,
    padding: [8, 12, 0, 0],
    legend: { show: false },
    scales: {
      x: { time: false, distr: look.logX ? 3 : 1, auto: false },
      y: { distr: look.logY ? 3 : 1, auto: false },
    },
    axes: [
      {
        ...axis,
        size: 24,
        gap: 4,
        space: 64,
        // Between two steps there is nothing to label.
        ...(look.axis === "step" && !look.logX ? { incrs: STEP_DISTANCES } : {}),
        values: (_, ticks) => ticks.map((at) => (at === null ? "" : xLabel(look.axis, now.current.columns.base, at))),
      },
      {
        ...axis,
        // An axis of usual labels is as wide as those of the charts around it.
        size: (_, labels) => Math.max(46, 10 + DIGIT_PX * Math.max(0, ...(labels ?? []).map(({ length }) => length))),
        gap: 4,
        space: 28,
        values: (_, ticks) => {
          const labels = valueLabels(ticks.filter((at) => at !== null));
          return ticks.map((at) => (at === null ? "" : (labels.shift() ?? "")));
        },
      },
    ],
    series: [{}, { show: false }],
    cursor: {
      y: false,
      points: { show: false },
      drag: { x: true, y: false, setScale: false },
      // The cursor is shared; a chart is zoomed alone.
      sync: { key: syncKey, setSeries: false, scales: ["x", null], filters: { pub: isOfCursor, sub: isOfCursor } },
    },
    hooks: {
      draw: [
        (plot) => {
          const { lines, look, hover, columns } = now.current;
          drawLines(plot.ctx, lines, frameOf(plot), { band: look.band, highlighted: hover?.runId ?? null });
          // How far the lines go that can be seen now: for tests, and for who measures how live the page is.
          plot.root.dataset.drawnTo = String(columns.base + BigInt(Math.floor(rangeOfX(columns.series)[1])));
        },
      ],
      setCursor: [(plot) => setHover(hovered(plot, now.current.lines))],
      setSelect: [
        (plot) => {
          if (plot.select.width < 4) return;
          const range: Range = [
            plot.posToVal(plot.select.left, "x"),
            plot.posToVal(plot.select.left + plot.select.width, "x"),
          ];
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          now.current.onZoom(range);
        },
      ],
    },
  };
}

/** The part of a range that a logarithmic axis can show; of whole numbers it begins at 1. */
function positive(low: number, high: number, axis: Axis): Range {
  const least = metricOf(axis) !== null ? high / 1e6 || 1 : 1;
  return [Math.max(low, least), Math.max(high, 2 * least)];
}

function frameOf(plot: uPlot): Frame {
  return {
    toX: (x) => plot.valToPos(x, "x", true),
    toY: (y) => plot.valToPos(y, "y", true),
    left: plot.bbox.left,
    top: plot.bbox.top,
    width: plot.bbox.width,
    height: plot.bbox.height,
    pixelRatio: devicePixelRatio,
  };
}

function isOfCursor(event: string): boolean {
  return event === "mousemove" || event === "mouseleave";
}

function pictureOf(plot: uPlot, { lines, look }: Now): Picture {
  const style = getComputedStyle(document.documentElement);
  const color = (name: string) => style.getPropertyValue(name).trim();
  const { left, top, width, height } = plot.bbox;
  const ratio = devicePixelRatio;
  return {
    lines,
    look: { band: look.band, highlighted: null },
    frame: {
      toX: (x: number) => plot.valToPos(x, "x") + left / ratio,
      toY: (y: number) => plot.valToPos(y, "y") + top / ratio,
      left: left / ratio,
      top: top / ratio,
      width: width / ratio,
      height: height / ratio,
      pixelRatio: 1,
    },
    width: plot.width,
    height: plot.height,
    title: lines.map(({ series }) => series.key).find(Boolean) ?? "",
    colors: { ground: color("--surface"), grid: color("--line"), text: color("--text-soft") },
    x: ticksOf(plot, 0),
    y: ticksOf(plot, 1),
  };
}

/** What the cursor is at: null when it is not in the plot. */
function hovered(plot: uPlot, lines: Line[]): Hover | null {
  const { left = -1, top = -1 } = plot.cursor;
  if (left < 0) return null;
  const x = plot.posToVal(left, "x");
  // A cursor that another chart leads has no height here.
  const isOwn = plot.cursor.event !== undefined && plot.over.matches(":hover");
  // Charts that follow draw the cursor alone: two dozen of them would have no time for more.
  return isOwn
    ? {
        left: left + plot.bbox.left / devicePixelRatio,
        top,
        x,
        y: plot.posToVal(top, "y"),
        runId: runAt(plot, lines, x, top),
      }
    : null;
}

function runAt(plot: uPlot, lines: Line[], x: number, top: number): string | null {
  let found: string | null = null;
  let least = CURSOR_DISTANCE_MAX_PX;
  for (const line of lines) {
    const bucket = nearest(line.series, x);
    const distance = bucket < 0 ? Number.NaN : Math.abs(plot.valToPos(line.bold[bucket] as number, "y") - top);
    if (distance < least) {
      least = distance;
      found = line.series.runId;
    }
  }
  return found;
}
