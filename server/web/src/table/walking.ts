import type { KeyboardEvent } from "react";

const ROW = "[aria-rowindex]";
const CONTROLS = "a, button, input";

/** In the rows of a table the arrows up and down go to the same thing in the next row, left and right close and open it. */
export function walk(event: KeyboardEvent<HTMLElement>): void {
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const target = event.target as HTMLElement;
  const row = target.closest<HTMLElement>(ROW);
  if (!row) return;
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    const next = Number(row.ariaRowIndex) + (event.key === "ArrowDown" ? 1 : -1);
    const found = event.currentTarget.querySelector<HTMLElement>(`[aria-rowindex="${next}"]`);
    const same = found && alike(target, row, found);
    if (!same) return;
    event.preventDefault();
    same.focus();
    same.scrollIntoView({ block: "nearest" });
  }
  if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
    const opener = row.querySelector<HTMLElement>(`[aria-expanded="${event.key === "ArrowLeft"}"]`);
    if (!opener) return;
    event.preventDefault();
    opener.click();
  }
}

/** What stands in a row where something stands in another one: the same of its kind. */
function alike(target: HTMLElement, row: HTMLElement, other: HTMLElement): HTMLElement | undefined {
  const controls = (of: HTMLElement) => [...of.querySelectorAll<HTMLElement>(CONTROLS)];
  const kind = (one: HTMLElement) => `${one.tagName} ${one.className}`;
  const place = controls(row)
    .filter((one) => kind(one) === kind(target))
    .indexOf(target);
  const same = controls(other).filter((one) => kind(one) === kind(target));
  return same[place] ?? controls(other)[0];
}
