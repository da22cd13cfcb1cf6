import { complain, say } from "./toast";

/** Put a text on the clipboard. */
export function copy(text: string): void {
  written(text).then(() => say("Copied"), complain);
}

async function written(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  if (!copiedByHand(text)) throw new Error("This browser did not copy: mark the text, and copy it yourself.");
}

/** A page that came without TLS from another machine has no clipboard; what a field has marked can be copied still. */
function copiedByHand(text: string): boolean {
  const before = document.activeElement;
  const field = document.createElement("textarea");
  field.value = text;
  field.readOnly = true;
  field.style.cssText = "position: fixed; inset: 0 auto auto 0; opacity: 0";
  // Inside of a dialog or a menu, which keep the focus.
  (before?.closest("[role=dialog], [role=menu]") ?? document.body).append(field);
  field.select();
  const isCopied = document.execCommand("copy");
  field.remove();
  if (before instanceof HTMLElement) before.focus();
  return isCopied;
}
