/** The columns that somebody chose for an experiment stay in this browser. */
const COLUMNS_KEPT_MAX = 500;
const key = (place: string) => `stepwell.columns.${place}`;

export function keptColumns(place: string): string[] | undefined {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(key(place)) ?? "null");
    return Array.isArray(kept) ? kept.filter((one) => typeof one === "string") : undefined;
  } catch {
    return undefined; // somebody else wrote there
  }
}

export function keepColumns(place: string, ids: string[] | undefined): void {
  if (ids) localStorage.setItem(key(place), JSON.stringify(ids.slice(0, COLUMNS_KEPT_MAX)));
  else localStorage.removeItem(key(place));
}
