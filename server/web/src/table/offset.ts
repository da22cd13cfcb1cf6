import { useRouter } from "@tanstack/react-router";
import { useState, type UIEvent } from "react";

// Of entries of the history; the oldest go.
const OFFSETS_MAX = 200;
const offsets = new Map<string, number>();

interface KeptOffset {
  /** Where the element is to be at first, in pixels. */
  initial: number;
  onScroll: (event: UIEvent<HTMLElement>) => void;
}

/** Remember how far an element is scrolled: who comes back to this entry of the history finds it there. */
export function useKeptOffset(): KeptOffset {
  const { history } = useRouter();
  // Filters and selections replace the entry; its place and its path stay what they are.
  const entry = () => `${history.location.state.__TSR_index} ${history.location.pathname}`;
  const [initial] = useState(() => offsets.get(entry()) ?? 0);
  const onScroll = ({ currentTarget }: UIEvent<HTMLElement>) => {
    offsets.delete(entry());
    offsets.set(entry(), currentTarget.scrollTop);
    if (offsets.size > OFFSETS_MAX) offsets.delete(offsets.keys().next().value as string);
  };
  return { initial, onScroll };
}
