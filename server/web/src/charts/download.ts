import { fullNumber } from "../format/numbers";
import type { SampleGroupsResponse } from "../gen/stepwell_api/v1/series_pb";
import { askGroups, PLACES_MAX } from "../queries/groupLines";
import { sample } from "../queries/samples";
import type { ChartLook, RunLook } from "./Chart";
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

/** Save the lines of a chart as CSV, a row a bucket; at most 10,000 buckets a line, 2,000 of groups. */
export async function saveCsv(spec: ChartSpec, runs: ChartRuns, look: ChartLook): Promise<void> {
  const { signal } = new AbortController();
  const asked = { metrics: spec.metrics, axis: look.axis, bounds: null, live: false, withHidden: look.withHidden };
  const isValue = metricOf(look.axis) !== null;
  const text = runs.groups
    ? groupsCsv(
        await askGroups(runs.groups, { ...asked, buckets: PLACES_MAX }, signal),
        runs.groups.looks,
        spec.metrics,
      )
    : csv(await sample({ ...asked, runIds: runs.ids, buckets: CSV_BUCKETS }, signal), runs, isValue);
  save(new Blob([text], { type: "text/csv" }), `${fileName(spec.title)}.csv`);
}

function groupsCsv(lines: SampleGroupsResponse[], looks: Map<string, RunLook>, keys: string[]): string {
  const rows = ["group,metric,x_first,x_last,mean,deviation,minimum,maximum,runs,count,non_finite_count"];
  const names = [...looks.values()].map(({ name }) => name);
  for (const line of lines) {
    const named = [names[line.group] ?? "", keys[line.key] ?? ""].map(quoted);
    const x = line.firstX.length ? [line.firstX, line.lastX] : [line.firstXValue, line.lastXValue];
    const whole = [line.runs, line.count, line.nonFiniteCount];
    for (let place = 0; place < line.mean.length; place++) {
      const values = [line.mean, line.deviation, line.minimum, line.maximum].map((it) =>
        fullNumber(it[place] as number),
      );
      rows.push([...named, ...x.map((it) => it[place]), ...values, ...whole.map((it) => it[place])].join(","));
    }
  }
  return `${rows.join("\n")}\n`;
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
