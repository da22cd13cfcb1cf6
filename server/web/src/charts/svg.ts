import type uPlot from "uplot";

import { drawLines, type Frame, type Line, type Look, type Pen } from "./draw";

const TICK_GAP = 6;

/** How charts are written as SVG, by the element that they are in. */
const makers = new WeakMap<Element, () => string>();

export function offerSvg(place: Element, make: () => string): void {
  makers.set(place, make);
}

/** The first chart in an element as SVG; null when there is none. */
export function svgOf(card: Element): string | null {
  const drawn = [...card.querySelectorAll("[role=img]")].find((place) => makers.has(place));
  return (drawn && makers.get(drawn)?.()) ?? null;
}

export interface Picture {
  lines: Line[];
  look: Look;
  frame: Frame;
  width: number;
  height: number;
  title: string;
  colors: { ground: string; grid: string; text: string };
  x: Tick[];
  y: Tick[];
}

export interface Tick {
  at: number;
  label: string;
}

/** A chart as an SVG document: ground, grid, labels, the names of the lines, and the lines themselves. */
export function svg({ lines, look, frame, width, height, title, colors, x, y }: Picture): string {
  const pen = new SvgPen();
  drawLines(pen, lines, frame, look);
  const right = frame.left + frame.width;
  const foot = frame.top + frame.height;
  const texts = [
    ...x.map(({ at, label }) => text(at, foot + 2 * TICK_GAP + 4, label, "middle")),
    ...y.map(({ at, label }) => text(frame.left - TICK_GAP, at + 4, label, "end")),
  ];
  const grid = [
    ...x.map(({ at }) => `M${round(at)} ${round(frame.top)}V${round(foot)}`),
    ...y.map(({ at }) => `M${round(frame.left)} ${round(at)}H${round(right)}`),
  ];
  const legend = lines.map(({ color, name }, place) => {
    const at = height + 8 + 16 * place;
    return `<circle cx="${round(frame.left + 4)}" cy="${at}" r="4" fill="${escaped(color)}"/>${text(frame.left + 14, at + 4, name, "start")}`;
  });
  const whole = height + 8 + 16 * lines.length;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${whole}" width="${width}" height="${whole}">
<title>${escaped(title)}</title>
<rect width="100%" height="100%" fill="${escaped(colors.ground)}"/>
<path d="${grid.join("")}" stroke="${escaped(colors.grid)}" fill="none"/>
<clipPath id="plot"><rect x="${round(frame.left)}" y="${round(frame.top)}" width="${round(frame.width)}" height="${round(frame.height)}"/></clipPath>
<g clip-path="url(#plot)">
${pen.paths.join("\n")}
</g>
<g font-family="system-ui, sans-serif" font-size="11" fill="${escaped(colors.text)}">
${[...texts, ...legend].join("\n")}
</g>
</svg>
`;
}

/** Writes what a canvas would draw as paths. */
export class SvgPen implements Pen {
  readonly paths: string[] = [];
  strokeStyle: Pen["strokeStyle"] = "#000000";
  fillStyle: Pen["fillStyle"] = "#000000";
  lineWidth = 1;
  lineJoin: Pen["lineJoin"] = "miter";
  globalAlpha = 1;
  private path: string[] = [];
  private dash: number[] = [];

  // One clip is around everything.
  save(): void {}
  restore(): void {}
  rect(): void {}
  clip(): void {}

  beginPath(): void {
    this.path = [];
  }

  closePath(): void {
    this.path.push("Z");
  }

  moveTo(x: number, y: number): void {
    this.path.push(`M${round(x)} ${round(y)}`);
  }

  lineTo(x: number, y: number): void {
    this.path.push(`L${round(x)} ${round(y)}`);
  }

  /** Whole circles alone are drawn here. */
  arc(x: number, y: number, radius: number): void {
    const [left, right, r] = [round(x - radius), round(x + radius), round(radius)];
    this.path.push(`M${right} ${round(y)}A${r} ${r} 0 1 1 ${left} ${round(y)}A${r} ${r} 0 1 1 ${right} ${round(y)}`);
  }

  setLineDash(dash: Iterable<number>): void {
    this.dash = [...dash];
  }

  stroke(): void {
    const dash = this.dash.length ? ` stroke-dasharray="${this.dash.join(" ")}"` : "";
    this.add(`fill="none" stroke="${escaped(String(this.strokeStyle))}" stroke-width="${this.lineWidth}"${dash}`);
  }

  fill(): void {
    this.add(`fill="${escaped(String(this.fillStyle))}"`);
  }

  private add(attributes: string): void {
    if (this.path.length === 0) return;
    this.paths.push(`<path d="${this.path.join("")}" ${attributes} opacity="${this.globalAlpha}"/>`);
  }
}

/** Where uPlot has put its ticks, in CSS pixels. */
export function ticksOf(plot: uPlot, number: 0 | 1): Tick[] {
  const axis = plot.axes[number] as uPlot.Axis & { _splits?: number[]; _values?: string[] };
  const scale = number === 0 ? "x" : "y";
  const offset = (number === 0 ? plot.bbox.left : plot.bbox.top) / devicePixelRatio;
  return (axis._splits ?? []).flatMap((value, place) => {
    const label = axis._values?.[place];
    return label ? [{ at: offset + plot.valToPos(value, scale), label }] : [];
  });
}

function text(x: number, y: number, content: string, anchor: string): string {
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}">${escaped(content)}</text>`;
}

function round(number: number): number {
  return Math.round(number * 100) / 100;
}

function escaped(content: string): string {
  return content.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`).replace(/[^\P{Cc}\t\n]/gu, "");
}
