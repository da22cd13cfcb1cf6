import { fullNumber } from "../format/numbers";
import { samplesQuery } from "../queries/samples";
import type { ChartRuns } from "./ChartCard";
import type { ChartLook } from "./Chart";
import type { Columns } from "./series";

const CSV_BUCKETS = 10_000;

/** Save the canvas of a chart as a picture. */
export function savePng(card: Element, metric: string): void {
  card.querySelector("canvas")?.toBlob((blob) => blob && save(blob, `${fileName(metric)}.png`), "image/png");
}

/** Save the lines of a chart as CSV, a row a bucket; at most 10,000 buckets a run. */
export async function saveCsv(metric: string, runs: ChartRuns, look: ChartLook): Promise<void> {
  const query = samplesQuery({
    metric,
    runIds: runs.ids,
    axis: look.axis,
    from: null,
    to: null,
    buckets: CSV_BUCKETS,
    live: false,
  });
  const columns = await query.queryFn?.({ signal: new AbortController().signal } as never);
  if (columns) save(new Blob([csv(columns as Columns, runs)], { type: "text/csv" }), `${fileName(metric)}.csv`);
}

function csv({ base, series }: Columns, runs: ChartRuns): string {
  const rows = ["run_id,run_name,x_first,x_last,mean,minimum,maximum,count,non_finite_count"];
  for (const one of series) {
    const name = JSON.stringify(runs.looks.get(one.runId)?.name ?? "").replaceAll('\\"', '""');
    for (let place = 0; place < one.from.length; place++) {
      const x = [one.from[place], one.to[place]].map((at) => base + BigInt(Math.round(at as number)));
      const values = [one.mean, one.low, one.high].map((column) => fullNumber(column[place] as number));
      rows.push([one.runId, name, ...x, ...values, one.count[place], one.odd[place]].join(","));
    }
  }
  return `${rows.join("\n")}\n`;
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
