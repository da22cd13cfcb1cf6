/** Colours of lines that differ from each other on both grounds, also for most who see few colours. */
const LIGHT = [
  "#2563eb",
  "#d9480f",
  "#0f9d76",
  "#8b5cf6",
  "#b45309",
  "#0891b2",
  "#be185d",
  "#4d7c0f",
  "#64748b",
  "#a21caf",
];
const DARK = [
  "#6ea8ff",
  "#ff8a5b",
  "#3ddbaa",
  "#b79bff",
  "#f0b34a",
  "#4fd0e6",
  "#ff7ab2",
  "#a3d94e",
  "#a4b2c4",
  "#e48cff",
];

export const COLORS = LIGHT.length;

/** The colour with a number; the same number is the same hue in both themes. */
export function colorOf(number: number, dark: boolean): string {
  const palette = dark ? DARK : LIGHT;
  return palette[((number % COLORS) + COLORS) % COLORS] as string;
}

/**
 * Gives each run the number of a colour. Those that come into view keep theirs unless others in view have it and some
 * colour is taken less often; those that are in view, and those whose colour was chosen, keep it in any case.
 */
export function giveColors(
  given: Map<string, number>,
  { kept, coming, rest }: { kept: string[]; coming: string[]; rest: string[] },
  chosen: ReadonlyMap<string, number>,
): void {
  const taken = new Array<number>(COLORS).fill(0);
  const take = (number: number) => (taken[number] = (taken[number] ?? 0) + 1);
  const isFree = (number: number) => taken[number] === Math.min(...taken);
  const inView = [...kept, ...coming];
  for (const id of inView) if (chosen.has(id)) take(chosen.get(id) as number);
  for (const id of kept) if (!chosen.has(id)) take(given.get(id) ?? 0);
  const find = (id: string) => {
    let number = given.get(id) ?? colorNumber(id);
    while (!isFree(number)) number = (number + 1) % COLORS;
    given.set(id, number);
    take(number);
  };
  for (const id of coming) if (!chosen.has(id)) find(id);
  for (const id of rest) if (!chosen.has(id) && !given.has(id)) find(id);
}

/** The number of a run's colour: from its id, so that it is the same wherever and whenever the run is shown. */
export function colorNumber(runId: string): number {
  return Number.parseInt(runId.slice(0, 8), 16) % COLORS || 0;
}
