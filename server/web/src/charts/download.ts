import { fullNumber } from "../format/numbers";
import { sample } from "../queries/samples";
import type { ChartLook } from "./Chart";
import type { ChartRuns } from "./ChartBody";
import type { Columns } from "./series";
import type { ChartSpec } from "./specs";
import { svgOf } from "./svg";
import { metricOf } from "./ticks";

const CSV_BUCKETS = 10_000;
const STYLES = ["fill", "stroke", "stroke-width", "opacity", "font-size", "font-weight", "paint-order"];

/** Save a chart as a picture. */
export async function savePng(card: Element, title: string): Promise<void> {
  const canvas = card.querySelector("canvas") ?? (await painted(card));
  canvas?.toBlob((blob) => blob && save(blob, `${fileName(title)}.png`), "image/png");
}

/** Save a chart as SVG, with the names of its lines. */
export function saveSvg(card: Element, title: string): void {
  const document = svgOf(card) ?? plotSvg(card);
  if (document) save(new Blob([document], { type: "image/svg+xml" }), `${fileName(title)}.svg`);
}

/** A plot that is an SVG in the page as a document of its own, in the colours that it has now. */
function plotSvg(card: Element): string | null {
  const shown = card.querySelector("svg[role=img]");
  if (!shown) return null;
  const copy = shown.cloneNode(true) as SVGElement;
  const [from, to] = [shown, copy].map((svg) => [...svg.querySelectorAll<SVGElement>("*")]) as SVGElement[][];
  for (const [place, element] of (from ?? []).entries()) {
    const style = getComputedStyle(element);
    for (const name of STYLES) to?.[place]?.style.setProperty(name, style.getPropertyValue(name));
    to?.[place]?.removeAttribute("class");
  }
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.style.background = getComputedStyle(document.documentElement).getPropertyValue("--surface");
  copy.style.fontFamily = "system-ui, sans-serif";
  return new XMLSerializer().serializeToString(copy);
}

async function painted(card: Element): Promise<HTMLCanvasElement | null> {
  const source = plotSvg(card);
  if (!source) return null;
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(source)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = image.width * devicePixelRatio;
  canvas.height = image.height * devicePixelRatio;
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas;
}

/** Save the lines of a chart as CSV, a row a bucket; at most 10,000 buckets a line. */
export async function saveCsv(spec: ChartSpec, runs: ChartRuns, look: ChartLook): Promise<void> {
  const asked = { metrics: spec.metrics, runIds: runs.ids, axis: look.axis, bounds: null, buckets: CSV_BUCKETS };
  const columns = await sample({ ...asked, live: false }, new AbortController().signal);
  const isValue = metricOf(look.axis) !== null;
  save(new Blob([csv(columns, runs, isValue)], { type: "text/csv" }), `${fileName(spec.title)}.csv`);
}

function csv({ base, series }: Columns, runs: ChartRuns, isValue: boolean): string {
  const rows = ["run_id,run_name,metric,x_first,x_last,mean,minimum,maximum,count,non_finite_count"];
  for (const one of series) {
    const [name, key] = [runs.looks.get(one.runId)?.name ?? "", one.key].map(quoted);
    for (let place = 0; place < one.from.length; place++) {
      const x = [one.from[place], one.to[place]].map((at) =>
        isValue ? fullNumber(at as number) : base + BigInt(Math.round(at as number)),
      );
      const values = [one.mean, one.low, one.high].map((column) => fullNumber(column[place] as number));
      rows.push([one.runId, name, key, ...x, ...values, one.count[place], one.odd[place]].join(","));
    }
  }
  return `${rows.join("\n")}\n`;
}

/** A text as a cell; one that a spreadsheet would take for a formula stays a text. */
function quoted(text: string): string {
  const harmless = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return `"${harmless.replaceAll('"', '""')}"`;
}

function save(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1_000);
}

function fileName(metric: string): string {
  return metric.replace(/[^\w.-]+/g, "_") || "chart";
}
