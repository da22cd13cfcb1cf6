import { sections } from "./sections";
import { rearranged, type ChartSpec } from "./specs";

/** A row of the grid of charts. */
export type Row =
  | { kind: "header"; id: string; prefix: string; title: string; count: number }
  | { kind: "charts"; id: string; charts: ChartSpec[]; neighbours: string[] };

/** The prefix of the section of a person's own charts; no metric has it. */
const OWN_PREFIX = "\u0000own";

interface Given {
  own: ChartSpec[];
  ownTitle: string;
  charts: ChartSpec[];
  moved: [string, string][];
  perRow: number;
  /** Prefixes of sections that are folded up. */
  closed: ReadonlySet<string>;
}

/** The rows of all sections: each a header, and its charts so many a row. */
export function toRows({ own, ownTitle, charts, moved, perRow, closed }: Given): Row[] {
  const all = sections(charts).map((section) => ({ ...section, title: section.prefix || "metrics" }));
  if (own.length) all.unshift({ prefix: OWN_PREFIX, title: ownTitle, charts: own });
  return all.flatMap(({ prefix, title, charts: unordered }) => {
    const header: Row = { kind: "header", id: `header ${prefix}`, prefix, title, count: unordered.length };
    if (closed.has(prefix)) return [header];
    const inside = rearranged(unordered, moved);
    const neighbours = inside.map(({ id }) => id);
    const rows: Row[] = [header];
    for (let at = 0; at < inside.length; at += perRow) {
      rows.push({ kind: "charts", id: `${prefix} ${at}`, charts: inside.slice(at, at + perRow), neighbours });
    }
    return rows;
  });
}
