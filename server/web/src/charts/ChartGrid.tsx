import { useVirtualizer } from "@tanstack/react-virtual";
import { useMemo, useRef } from "react";

import { ChevronIcon } from "../parts/icons";
import { withOne, type ChartsView } from "../url/chartsView";
import type { ChartLook } from "./Chart";
import type { ChartRuns } from "./ChartBody";
import { ChartCard } from "./ChartCard";
import styles from "./ChartGrid.module.css";
import { toRows, type Row } from "./rows";
import type { ChartSpec } from "./specs";
import { useWidth } from "./useWidth";

export type ChartSize = "small" | "large" | "huge";

const SIZES: Record<ChartSize, { width: number; height: number }> = {
  small: { width: 270, height: 210 },
  large: { width: 420, height: 290 },
  huge: { width: 700, height: 400 },
};
const GAP = 12;
const CARD_HEADER_HEIGHT = 36;
const SECTION_HEIGHT = 36;
const NOTHING: never[] = [];
const USUAL = {};
/** A chart that is moved is a pair in the address, which stays short. */
const MOVED_MAX = 100;

interface Props {
  own: ChartSpec[];
  charts: ChartSpec[];
  view: Pick<ChartsView, "moved" | "each" | "closed">;
  change: (part: Partial<ChartsView>) => void;
  size: ChartSize;
  runs: ChartRuns;
  look: ChartLook;
  /** Cursors of all charts with the same key move together. */
  syncKey: string;
  onEdit: (own: number) => void;
  onRemove: (own: number) => void;
  /** What a person's own charts are called. */
  ownTitle?: string;
}

/** Charts in sections by prefix, a person's own ones first. Only the rows in view exist, however many there are. */
export function ChartGrid({
  own,
  charts,
  view,
  change,
  size,
  runs,
  look,
  syncKey,
  onEdit,
  onRemove,
  ownTitle = "My charts",
}: Props) {
  const place = useRef<HTMLDivElement>(null);
  const width = useWidth(place);
  const moved = view.moved ?? NOTHING;
  const closed = useMemo(() => new Set(view.closed), [view.closed]);
  const looks = useMemo(() => new Map(view.each), [view.each]);
  const chart = SIZES[size];
  const perRow = Math.max(1, Math.floor((width + GAP) / (chart.width + GAP)));
  const rows = useMemo(
    () => toRows({ own, ownTitle, charts, moved, perRow, closed }),
    [own, ownTitle, charts, moved, perRow, closed],
  );
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => place.current,
    estimateSize: (number) =>
      rows[number]?.kind === "header" ? SECTION_HEIGHT : chart.height + CARD_HEADER_HEIGHT + GAP,
    getItemKey: (number) => rows[number]?.id ?? number,
    overscan: 1,
  });
  const toggle = (prefix: string) => {
    const rest = [...closed].filter((one) => one !== prefix);
    const next = closed.has(prefix) ? rest : [...rest, prefix];
    change({ closed: next.length ? next : undefined });
  };
  const onMove = (id: string, before: string) =>
    change({ moved: [...moved, [id, before] as [string, string]].slice(-MOVED_MAX) });
  const actsOf = (spec: ChartSpec, neighbours: string[]) => {
    const number = spec.own;
    const edits = number === undefined ? {} : { onEdit: () => onEdit(number), onRemove: () => onRemove(number) };
    return { onMove, neighbours, ...edits };
  };
  return (
    <div ref={place} className={styles.scroll}>
      <div className={styles.all} style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map((item) => {
          const row = rows[item.index] as Row;
          const style = { height: item.size, transform: `translateY(${item.start}px)` };
          if (row.kind === "header")
            return (
              <h2 key={item.key} className={styles.section} style={style}>
                <button
                  type="button"
                  className={closed.has(row.prefix) ? "" : styles.open}
                  aria-expanded={!closed.has(row.prefix)}
                  onClick={() => toggle(row.prefix)}
                >
                  <ChevronIcon size={14} />
                  {row.title} <small>{row.count}</small>
                </button>
              </h2>
            );
          return (
            <div
              key={item.key}
              className={styles.row}
              style={{ ...style, gridTemplateColumns: `repeat(${perRow}, minmax(0, 1fr))` }}
            >
              {row.charts.map((spec) => (
                <ChartCard
                  key={spec.id}
                  spec={spec}
                  runs={runs}
                  look={look}
                  syncKey={syncKey}
                  height={chart.height}
                  acts={actsOf(spec, row.neighbours)}
                  one={looks.get(spec.id) ?? USUAL}
                  onOne={(part) => change({ each: withOne(view.each, spec.id, part) })}
                />
              ))}
            </div>
          );
        })}
      </div>
    </div>
  );
}
