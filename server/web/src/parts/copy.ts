import { complain, say } from "./toast";

/** Put a text on the clipboard. A page that came without TLS from another machine has none; then the reader marks it. */
export function copy(text: string): void {
  if (!navigator.clipboard) return complain(new Error("This browser copies on https and localhost alone."));
  navigator.clipboard.writeText(text).then(() => say("Copied"), complain);
}
