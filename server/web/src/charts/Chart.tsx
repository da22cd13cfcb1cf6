import { useEffect, useMemo, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

import { useTheme } from "../theme/theme";
import styles from "./Chart.module.css";
import { drawLines, type Frame, type Line } from "./draw";
import { rangeOfX, rangeOfY, type Range } from "./ranges";
import { middle, nearest, type Columns } from "./series";
import { smoothed } from "./smoothing";
import { xLabel, yLabel, type Axis } from "./ticks";
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
}

export interface RunLook {
  name: string;
  color: string;
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

const CURSOR_DISTANCE_MAX_PX = 40;
const STEP_DISTANCES = Array.from({ length: 19 }, (_, power) => [1, 2, 5].map((first) => first * 10 ** power)).flat();

/** A line chart: pixels from columns, a look and a size. What is hovered is its only state. */
export function Chart({ columns, look, runs, width, height, syncKey, zoom, onZoom }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const theme = useTheme();
  const [hover, setHover] = useState<Hover | null>(null);
  const lines = useMemo(() => toLines(columns, look, runs), [columns, look, runs]);
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
    return () => made.destroy();
  }, [theme, look.axis, look.logX, look.logY, syncKey]);

  useEffect(() => plot.current?.setSize({ width, height }), [width, height]);
  useEffect(() => {
    const shown = plot.current;
    if (!shown) return;
    const [low, high] = zoom ?? rangeOfX(columns.series);
    const x = look.logX ? ([Math.max(low, 1), Math.max(high, 2)] as Range) : ([low, high] as Range);
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
      aria-label={`${columns.series.length} lines over ${look.axis}`}
      onDoubleClick={() => onZoom(null)}
    >
      {hover?.isOwn && (
        <Tooltip hover={hover} columns={columns} lines={lines} runs={runs} axis={look.axis} width={width} />
      )}
    </div>
  );
}

function toLines(columns: Columns, look: ChartLook, runs: Map<string, RunLook>): Line[] {
  return columns.series.map((series) => {
    const isSmoothed = look.smoothing > 0;
    const x = isSmoothed ? Float64Array.from(series.from, (_, bucket) => middle(series, bucket)) : series.from;
    return {
      series,
      color: runs.get(series.runId)?.color ?? "#888888",
      bold: isSmoothed ? smoothed(x, series.mean, look.smoothing) : series.mean,
      isSmoothed,
    };
  });
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
        size: 46,
        gap: 4,
        space: 28,
        values: (_, ticks) => ticks.map((at) => (at === null ? "" : yLabel(at))),
      },
    ],
    series: [{}, { show: false }],
    cursor: {
      y: false,
      points: { show: false },
      drag: { x: true, y: false, setScale: false },
      sync: { key: syncKey, setSeries: false, scales: ["x", null] },
    },
    hooks: {
      draw: [
        (plot) =>
          drawLines(plot.ctx, now.current.lines, frameOf(plot), {
            band: now.current.look.band,
            highlighted: now.current.hover?.runId ?? null,
          }),
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

/** What the cursor is at: null when it is not in the plot. */
function hovered(plot: uPlot, lines: Line[]): Hover | null {
  const { left = -1, top = -1 } = plot.cursor;
  if (left < 0) return null;
  const x = plot.posToVal(left, "x");
  // A cursor that another chart leads has no height here.
  const isOwn = plot.cursor.event !== undefined && plot.over.matches(":hover");
  return { left, top, x, isOwn, runId: isOwn ? runAt(plot, lines, x, top) : null };
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
