import { middle, type Series } from "./series";

/** What lines are drawn with: a canvas, or something that writes SVG. */
export type Pen = Pick<
  CanvasRenderingContext2D,
  | "save"
  | "restore"
  | "beginPath"
  | "closePath"
  | "rect"
  | "clip"
  | "moveTo"
  | "lineTo"
  | "arc"
  | "stroke"
  | "fill"
  | "setLineDash"
  | "strokeStyle"
  | "fillStyle"
  | "lineWidth"
  | "lineJoin"
  | "globalAlpha"
>;

/** From values to pixels of the canvas; and the plot's box. */
export interface Frame {
  toX: (x: number) => number;
  toY: (y: number) => number;
  left: number;
  top: number;
  width: number;
  height: number;
  pixelRatio: number;
}

export interface Line {
  series: Series;
  color: string;
  name: string;
  /** What is drawn bold: the mean of each bucket, or a smoothed one; then the mean is drawn faint behind it. */
  bold: Float64Array;
  isSmoothed: boolean;
  /** Lengths of dashes and gaps in CSS pixels; empty for a whole line. */
  dash: number[];
}

export interface Look {
  band: boolean;
  /** The run that the pointer is at; the others step back. */
  highlighted: string | null;
}

const BAND_ALPHA = 0.16;
const FAINT_ALPHA = 0.35;
const BACK_ALPHA = 0.25;
const MARK_PX = 4;
const SPIKE_ALPHA = 0.6;
/** An extreme that stands out so far from those beside it is drawn as a line: a band of one pixel is hardly seen. */
const SPIKE_PX = 8;

/** Draw all lines: bands, raw means, bold lines, and marks at the foot where points are NaN or infinite. */
export function drawLines(context: Pen, lines: Line[], frame: Frame, look: Look): void {
  context.save();
  context.beginPath();
  context.rect(frame.left, frame.top, frame.width, frame.height);
  context.clip();
  context.lineJoin = "round";
  for (const line of lines) {
    const back = look.highlighted !== null && look.highlighted !== line.series.runId;
    const strength = back ? BACK_ALPHA : 1;
    context.strokeStyle = context.fillStyle = line.color;
    context.setLineDash(line.dash.map((length) => length * frame.pixelRatio));
    if (look.band && !line.isSmoothed) fillBand(context, line.series, frame, BAND_ALPHA * strength);
    context.lineWidth = frame.pixelRatio;
    if (look.band && !line.isSmoothed) strokeSpikes(context, line.series, frame, SPIKE_ALPHA * strength);
    if (line.isSmoothed) strokeLine(context, line.series, line.series.mean, frame, FAINT_ALPHA * strength);
    context.lineWidth = (look.highlighted === line.series.runId ? 2.5 : 1.5) * frame.pixelRatio;
    strokeLine(context, line.series, line.bold, frame, strength);
    markOdd(context, line.series, frame, strength);
  }
  context.restore();
}

function strokeLine(context: Pen, series: Series, values: Float64Array, frame: Frame, alpha: number): void {
  context.globalAlpha = alpha;
  context.beginPath();
  let pen = false;
  let lone = -1;
  for (let place = 0; place < values.length; place++) {
    const y = frame.toY(values[place] as number);
    if (!Number.isFinite(y)) {
      if (lone >= 0) dot(context, frame.toX(middle(series, lone)), frame.toY(values[lone] as number), frame);
      pen = false;
      lone = -1;
      continue;
    }
    const x = frame.toX(middle(series, place));
    if (pen) context.lineTo(x, y);
    else context.moveTo(x, y);
    lone = pen ? -1 : place;
    pen = true;
  }
  // A point without neighbours has no line; a dot shows it.
  if (lone >= 0) dot(context, frame.toX(middle(series, lone)), frame.toY(values[lone] as number), frame);
  context.stroke();
}

function dot(context: Pen, x: number, y: number, frame: Frame): void {
  const radius = 1.5 * frame.pixelRatio;
  context.moveTo(x + radius, y);
  context.arc(x, y, radius, 0, 2 * Math.PI);
}

function fillBand(context: Pen, series: Series, frame: Frame, alpha: number): void {
  context.globalAlpha = alpha;
  context.beginPath();
  let start = -1;
  for (let place = 0; place <= series.low.length; place++) {
    const drawn = place < series.low.length && Number.isFinite(frame.toY(series.low[place] as number));
    if (drawn && start < 0) start = place;
    if (!drawn && start >= 0) {
      outline(context, series, frame, start, place);
      start = -1;
    }
  }
  context.fill();
}

/** Lines from the mean to extremes that the buckets on both sides do not come near to. */
function strokeSpikes(context: Pen, series: Series, frame: Frame, alpha: number): void {
  context.globalAlpha = alpha;
  context.beginPath();
  const least = SPIKE_PX * frame.pixelRatio;
  for (const [column, sign] of [
    [series.high, 1],
    [series.low, -1],
  ] as const) {
    let [before, at] = [Number.NaN, frame.toY(column[0] as number)];
    for (let place = 0; place < column.length; place++) {
      const next = frame.toY(column[place + 1] ?? Number.NaN);
      // The lesser y is the higher one; what is missing is no neighbour.
      if (!((at - before) * sign > -least) && !((at - next) * sign > -least)) {
        const mean = frame.toY(series.mean[place] as number);
        if ((mean - at) * sign > least) {
          const x = frame.toX(middle(series, place));
          context.moveTo(x, mean);
          context.lineTo(x, at);
        }
      }
      [before, at] = [at, next];
    }
  }
  context.stroke();
}

function outline(context: Pen, series: Series, frame: Frame, start: number, end: number): void {
  for (let place = start; place < end; place++) {
    const y = frame.toY(series.high[place] as number);
    const x = frame.toX(middle(series, place));
    if (place === start) context.moveTo(x, y);
    else context.lineTo(x, y);
  }
  for (let place = end - 1; place >= start; place--) {
    context.lineTo(frame.toX(middle(series, place)), frame.toY(series.low[place] as number));
  }
  context.closePath();
}

/** Triangles at the foot of the plot, where points are NaN or infinite. */
function markOdd(context: Pen, series: Series, frame: Frame, alpha: number): void {
  context.globalAlpha = alpha;
  context.beginPath();
  const foot = frame.top + frame.height;
  const size = MARK_PX * frame.pixelRatio;
  let before = Number.NEGATIVE_INFINITY;
  for (let place = 0; place < series.odd.length; place++) {
    if (!series.odd[place]) continue;
    const x = frame.toX(middle(series, place));
    if (x - before < size) continue;
    before = x;
    context.moveTo(x - size, foot);
    context.lineTo(x + size, foot);
    context.lineTo(x, foot - 1.6 * size);
    context.closePath();
  }
  context.fill();
}
