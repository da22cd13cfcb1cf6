/** Counts of values in bins; the ends of all bins, or where they are of equal width, of the first and the last one. */
export interface Bins {
  edges: number[];
  counts: bigint[];
}

/** A map of how values are distributed over steps: a column for each histogram, rows from the least value up. */
export interface Heat {
  low: number;
  high: number;
  rows: number;
  /** Column by column; from 0 to 1, where 1 is the densest cell of all. */
  cells: Float64Array;
}

/** The edges of all bins. */
export function allEdges({ edges, counts }: Bins): number[] {
  const [low, high] = [edges[0] ?? 0, edges.at(-1) ?? 0];
  if (edges.length === counts.length + 1 && counts.length > 1) return edges;
  return Array.from({ length: counts.length + 1 }, (_, at) => low + (high - low) * (at / counts.length));
}

/** Spread histograms, each with bins of its own, over rows that all of them share. */
export function heatOf(histograms: Bins[], rows: number): Heat {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { edges } of histograms) {
    low = Math.min(low, edges[0] ?? low);
    high = Math.max(high, edges.at(-1) ?? high);
  }
  if (!(low < high)) [low, high] = low === high ? [low - 0.5, high + 0.5] : [0, 1];
  const cells = new Float64Array(histograms.length * rows);
  const perRow = (high - low) / rows;
  const rowOf = (value: number) => (value - low) / perRow;
  histograms.forEach((bins, column) => {
    const edges = allEdges(bins);
    const total = bins.counts.reduce((sum, count) => sum + Number(count), 0);
    bins.counts.forEach((count, bin) => {
      if (!count) return;
      const share = Number(count) / total;
      const [from, to] = [rowOf(edges[bin] as number), rowOf(edges[bin + 1] as number)];
      const first = Math.min(Math.max(Math.floor(from), 0), rows - 1);
      const last = Math.min(Math.max(Math.ceil(to) - 1, first), rows - 1);
      for (let row = first; row <= last; row++) {
        // What of the bin lies in the row; a bin without width is in one.
        const part = to > from ? (Math.min(to, row + 1) - Math.max(from, row)) / (to - from) : 1 / (last - first + 1);
        const cell = column * rows + row;
        cells[cell] = (cells[cell] as number) + share * Math.max(part, 0);
      }
    });
  });
  const most = cells.reduce((greatest, cell) => Math.max(greatest, cell), 0);
  return { low, high, rows, cells: most ? cells.map((cell) => cell / most) : cells };
}
