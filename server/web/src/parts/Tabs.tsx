import { useEffect, useRef } from "react";

import styles from "./Tabs.module.css";

interface Tab {
  id: string;
  label: string;
  count?: number;
}

interface Props {
  tabs: Tab[];
  chosen: string;
  onChoose: (id: string) => void;
}

export function Tabs({ tabs, chosen, onChoose }: Props) {
  const move = (by: number) => {
    const at = tabs.findIndex((tab) => tab.id === chosen);
    const next = tabs[(at + by + tabs.length) % tabs.length];
    if (next) onChoose(next.id);
  };
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // Also when other tabs come, as it is known that there is something in them.
    place.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [chosen, tabs.length]);
  return (
    <div ref={place} className={styles.tabs} role="tablist">
      {tabs.map((tab) => (
        <button
          key={tab.id}
          type="button"
          role="tab"
          aria-selected={tab.id === chosen}
          tabIndex={tab.id === chosen ? 0 : -1}
          onClick={() => onChoose(tab.id)}
          onKeyDown={(event) => {
            if (event.key === "ArrowRight") move(1);
            if (event.key === "ArrowLeft") move(-1);
          }}
        >
          {tab.label}
          {tab.count !== undefined && <small>{tab.count.toLocaleString("en-US")}</small>}
        </button>
      ))}
    </div>
  );
}
