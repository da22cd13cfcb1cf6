import { useRef } from "react";

/** Gives the focus back to what had it when something opened over the page; from an item of a menu, to the menu's button. */
export function useOpener(open: boolean): () => void {
  const wasOpen = useRef(false);
  const opener = useRef<HTMLElement | null>(null);
  // Before what opens is there: a field in it may ask for the focus as it comes.
  if (open && !wasOpen.current) opener.current = openerOf(document.activeElement);
  wasOpen.current = open;
  return () => opener.current?.focus();
}

function openerOf(focused: Element | null): HTMLElement | null {
  const button = focused?.closest("[role=menu]")?.getAttribute("aria-labelledby");
  return button ? document.getElementById(button) : (focused as HTMLElement | null);
}
