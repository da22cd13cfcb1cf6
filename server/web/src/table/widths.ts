/** Widths of columns in pixels by their ids; those that are left out have the usual one. */
export type Widths = Readonly<Record<string, number>>;

/** The id of the column that the names of runs are in. */
export const NAME_ID = "run_name";
const USUAL_PX = 128;
const USUAL_OF: Widths = { run_name: 260, status: 104, start_time: 108, duration: 100, end_time: 108, run_id: 260 };
/** Marks, and what can be done with a run, have to fit beside its name. */
const NAME_LEAST_PX = 180;
const LEAST_PX = 56;
const MOST_PX = 1_200;
const KEPT_MAX = 500;

export function widthOf(id: string, widths: Widths): number {
  return widths[id] ?? USUAL_OF[id] ?? USUAL_PX;
}

/** The widths with one that is changed, within what can be read; without it where it is the usual one again. */
export function withWidth(widths: Widths, id: string, width: number | null): Widths {
  const { [id]: _, ...rest } = widths;
  if (width === null) return rest;
  const bounded = bounds(id, width);
  return bounded === widthOf(id, {}) ? rest : { ...rest, [id]: bounded };
}

/** Widths as anything that may stand in an address or in the browser's storage; undefined where there are none. */
export function readWidths(given: unknown): Widths | undefined {
  if (typeof given !== "object" || given === null || Array.isArray(given)) return undefined;
  const found = Object.entries(given)
    .filter((one): one is [string, number] => typeof one[1] === "number" && Number.isFinite(one[1]))
    .slice(0, KEPT_MAX)
    .map(([id, width]) => [id, bounds(id, width)] as const);
  return found.length ? Object.fromEntries(found) : undefined;
}

function bounds(id: string, width: number): number {
  return Math.round(Math.min(Math.max(width, id === NAME_ID ? NAME_LEAST_PX : LEAST_PX), MOST_PX));
}
