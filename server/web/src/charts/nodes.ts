import type { ChartSpec } from "./specs";

/** system/<machine>/<what>: what a job of several machines logs of each of them. */
const OF_NODE = /^(.+\/)([^/]+)\/([^/]+)$/;

/** The machines that system metrics are of. */
export function nodesOf(metrics: string[]): string[] {
  return [...new Set(metrics.flatMap((metric) => OF_NODE.exec(metric)?.[2] ?? []))];
}

/** A chart for what is measured of machines, with a line for each of them; so many lines a chart. */
export function nodesTogether(metrics: string[], linesMax: number): ChartSpec[] {
  const groups = new Map<string, string[]>();
  for (const metric of metrics) {
    const parts = OF_NODE.exec(metric);
    const name = parts ? `${parts[1]}${parts[3]}` : metric;
    groups.set(name, [...(groups.get(name) ?? []), metric]);
  }
  return [...groups].flatMap(([name, inside]) => {
    const charts: ChartSpec[] = [];
    for (let first = 0; first < inside.length; first += linesMax) {
      const title = first ? `${name} (${first + 1} …)` : name;
      charts.push({ id: title, title, metrics: inside.slice(first, first + linesMax) });
    }
    return charts;
  });
}
