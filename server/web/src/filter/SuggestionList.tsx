import { useEffect, useRef } from "react";

import styles from "./FilterBar.module.css";
import type { Offer } from "./FilterBar";

interface Props {
  id: string;
  offered: Offer[];
  active: number;
  onTake: (offer: Offer) => void;
}

/** What may be written at the caret. The focus stays in the field. */
export function SuggestionList({ id, offered, active, onTake }: Props) {
  const list = useRef<HTMLUListElement>(null);
  useEffect(() => {
    list.current?.children[active]?.scrollIntoView({ block: "nearest" });
  }, [active]);
  return (
    <ul ref={list} id={`${id}-list`} className={styles.list} role="listbox" aria-label="Suggestions">
      {offered.map((offer, number) => (
        <li
          key={`${offer.detail} ${offer.insert}`}
          id={`${id}-${number}`}
          role="option"
          aria-selected={number === active}
          title={offer.label}
          onMouseDown={(event) => {
            event.preventDefault();
            onTake(offer);
          }}
        >
          <span>{offer.label}</span>
          <small>{offer.detail}</small>
        </li>
      ))}
    </ul>
  );
}
