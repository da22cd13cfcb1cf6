/** Filters that were searched for here, the latest first; and what was typed and not searched for yet. */
const HISTORY_MAX = 20;
const key = (place: string) => `stepwell.filters.${place}`;

export function recentFilters(place: string): string[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(key(place)) ?? "[]");
    return Array.isArray(kept) ? kept.filter((one) => typeof one === "string").slice(0, HISTORY_MAX) : [];
  } catch {
    return []; // somebody else wrote there
  }
}

export function keepFilter(place: string, filter: string): void {
  if (!filter) return;
  const kept = [filter, ...recentFilters(place).filter((one) => one !== filter)].slice(0, HISTORY_MAX);
  localStorage.setItem(key(place), JSON.stringify(kept));
}

/** What was typed for a filter stays in this tab until it is searched for, also when the page is left. */
export function draftOf(place: string, filter: string): string {
  const kept = sessionStorage.getItem(key(place));
  const [of, draft] = kept?.split("\0") ?? [];
  return of === filter && draft !== undefined ? draft : filter;
}

export function keepDraft(place: string, filter: string, draft: string): void {
  if (draft === filter) sessionStorage.removeItem(key(place));
  else sessionStorage.setItem(key(place), `${filter}\0${draft}`);
}
