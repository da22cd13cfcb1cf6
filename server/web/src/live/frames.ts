import { flushSync } from "react-dom";

/** What may be drawn in one frame before the browser gets its turn again. */
const FRAME_BUDGET_MS = 10;

const waiting = new Set<() => void>();
let asked = false;

/**
 * Call `draw` in the next frame, once however often it is asked for. What does not fit into a frame comes in the next
 * one, in order, so that many charts that change at once never stop the page.
 */
export function inNextFrame(draw: () => void): void {
  waiting.add(draw);
  if (!asked) ask();
}

/** Forget a drawing that was asked for. */
export function notInNextFrame(draw: () => void): void {
  waiting.delete(draw);
}

function ask(): void {
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    const end = performance.now() + FRAME_BUDGET_MS;
    for (const draw of waiting) {
      waiting.delete(draw);
      // React would collect all of them, and so go past the frame.
      flushSync(draw);
      if (performance.now() >= end) break;
    }
    if (waiting.size) ask();
  });
}
