import { readWidths, type Widths } from "./widths";

/** The columns that somebody chose for an experiment, and their widths, stay in this browser. */
const COLUMNS_KEPT_MAX = 500;
const key = (place: string) => `stepwell.columns.${place}`;
const widthsKey = (place: string) => `stepwell.widths.${place}`;

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

export function keptWidths(place: string): Widths | undefined {
  try {
    return readWidths(JSON.parse(localStorage.getItem(widthsKey(place)) ?? "null"));
  } catch {
    return undefined; // somebody else wrote there
  }
}

export function keepWidths(place: string, widths: Widths | undefined): void {
  if (widths) localStorage.setItem(widthsKey(place), JSON.stringify(widths));
  else localStorage.removeItem(widthsKey(place));
}
