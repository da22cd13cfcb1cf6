/** The beginning of a text, and the rest of it; no character is cut through. */
export function splitAt(text: string, place: number): [string, string] {
  const isInside = /^[\uDC00-\uDFFF]/.test(text.slice(place)) && /[\uD800-\uDBFF]$/.test(text.slice(0, place));
  const at = isInside ? place - 1 : place;
  return [text.slice(0, at), text.slice(at)];
}

/** A name that fits; its end tells runs apart more often than its middle. */
export function cut(name: string, most: number): string {
  if (name.length <= most) return name;
  const end = Math.floor((most - 1) / 2);
  return `${splitAt(name, most - 1 - end)[0]}…${splitAt(name, name.length - end)[1]}`;
}

/** Names that fit: where one has to be cut, they begin where they differ. */
export function fitted(names: string[], most: number): string[] {
  if (names.every(({ length }) => length <= most)) return names;
  const same = sharedStart(names);
  return names.map((name) => (same > 1 ? start(`…${name.slice(same)}`, most) : cut(name, most)));
}

/** Which of labels around their places, from left to right, leave each other room. */
export function withoutOverlap(places: number[], widths: number[]): Set<number> {
  const shown = new Set<number>();
  let end = Number.NEGATIVE_INFINITY;
  places.forEach((at, place) => {
    const half = (widths[place] ?? 0) / 2;
    if (at - half < end) return;
    shown.add(place);
    end = at + half;
  });
  return shown;
}

function start(name: string, most: number): string {
  return name.length <= most ? name : `${splitAt(name, most - 1)[0]}…`;
}

/** How many characters all names begin with; a number or a word in which they differ stays whole. */
function sharedStart([first = "", ...rest]: string[]): number {
  let same = 0;
  while (same < first.length && rest.every((name) => name[same] === first[same])) same++;
  while (same > 0 && /[\p{L}\p{N}]/u.test(first[same - 1] ?? "")) same--;
  return same;
}
