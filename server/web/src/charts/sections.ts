/** Metrics below one prefix: what stands before the last slash. */
export interface Section {
  prefix: string;
  metrics: string[];
}

/** Metrics in sections by prefix, in natural order: layers/2 comes before layers/10. */
export function sections(metrics: string[]): Section[] {
  const order = new Intl.Collator("en", { numeric: true });
  const found = new Map<string, string[]>();
  for (const metric of [...metrics].sort(order.compare)) {
    const prefix = metric.slice(0, Math.max(metric.lastIndexOf("/"), 0));
    found.set(prefix, [...(found.get(prefix) ?? []), metric]);
  }
  return [...found].sort(([a], [b]) => order.compare(a, b)).map(([prefix, inside]) => ({ prefix, metrics: inside }));
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
