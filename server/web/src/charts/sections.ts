/** What lies below one prefix: what stands before the first slash of a title. */
export interface Section<T> {
  prefix: string;
  charts: T[];
}

/** Charts in sections by prefix, in natural order: layers/2 comes before layers/10. */
export function sections<T extends { title: string }>(charts: T[]): Section<T>[] {
  const order = new Intl.Collator("en", { numeric: true });
  const found = new Map<string, T[]>();
  for (const chart of [...charts].sort((a, b) => order.compare(a.title, b.title))) {
    const prefix = chart.title.slice(0, Math.max(chart.title.indexOf("/"), 0));
    const inside = found.get(prefix);
    if (inside) inside.push(chart);
    else found.set(prefix, [chart]);
  }
  return [...found].sort(([a], [b]) => order.compare(a, b)).map(([prefix, inside]) => ({ prefix, charts: inside }));
}

/** The metrics that a regular expression finds, ignoring case; null when it is none. */
export function matching(metrics: string[], pattern: string): string[] | null {
  if (!pattern) return metrics;
  try {
    const expression = new RegExp(pattern, "i");
    return metrics.filter((metric) => expression.test(metric));
  } catch {
    return null;
  }
}
