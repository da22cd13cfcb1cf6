import { useVirtualizer } from "@tanstack/react-virtual";
import { useMemo, useRef, useState } from "react";

import { ChevronIcon } from "../parts/icons";
import { CHART_HEIGHT, ChartCard, type ChartRuns } from "./ChartCard";
import styles from "./ChartGrid.module.css";
import type { ChartLook } from "./Chart";
import { sections } from "./sections";
import { useWidth } from "./useWidth";

const CARD_WIDTH_MIN = 270;
const GAP = 12;
const ROW_HEIGHT = CHART_HEIGHT + 36 + GAP;
const HEADER_HEIGHT = 36;

type Row = { kind: "header"; prefix: string; count: number } | { kind: "charts"; metrics: string[] };

interface Props {
  metrics: string[];
  runs: ChartRuns;
  look: ChartLook;
  /** Cursors of all charts with the same key move together. */
  syncKey: string;
}

/** Charts of all metrics in sections by prefix. Only the rows in view exist, however many metrics there are. */
export function ChartGrid({ metrics, runs, look, syncKey }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const width = useWidth(place);
  const [closed, setClosed] = useState<ReadonlySet<string>>(new Set());
  const perRow = Math.max(1, Math.floor((width + GAP) / (CARD_WIDTH_MIN + GAP)));
  const rows = useMemo(() => toRows(metrics, perRow, closed), [metrics, perRow, closed]);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => place.current,
    estimateSize: (number) => (rows[number]?.kind === "header" ? HEADER_HEIGHT : ROW_HEIGHT),
    overscan: 2,
  });
  const toggle = (prefix: string) =>
    setClosed((now) =>
      now.has(prefix) ? new Set([...now].filter((one) => one !== prefix)) : new Set([...now, prefix]),
    );
  return (
    <div ref={place} className={styles.scroll}>
      <div className={styles.all} style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map((item) => {
          const row = rows[item.index] as Row;
          const style = { height: item.size, transform: `translateY(${item.start}px)` };
          if (row.kind === "header")
            return (
              <button
                key={item.key}
                type="button"
                className={`${styles.section} ${closed.has(row.prefix) ? "" : styles.open}`}
                style={style}
                aria-expanded={!closed.has(row.prefix)}
                onClick={() => toggle(row.prefix)}
              >
                <ChevronIcon size={14} />
                {row.prefix || "metrics"} <small>{row.count}</small>
              </button>
            );
          return (
            <div
              key={item.key}
              className={styles.row}
              style={{ ...style, gridTemplateColumns: `repeat(${perRow}, minmax(0, 1fr))` }}
            >
              {row.metrics.map((metric) => (
                <ChartCard key={metric} metric={metric} runs={runs} look={look} syncKey={syncKey} />
              ))}
            </div>
          );
        })}
      </div>
    </div>
  );
}

function toRows(metrics: string[], perRow: number, closed: ReadonlySet<string>): Row[] {
  return sections(metrics).flatMap(({ prefix, metrics: inside }) => {
    const header: Row = { kind: "header", prefix, count: inside.length };
    if (closed.has(prefix)) return [header];
    const charts: Row[] = [];
    for (let at = 0; at < inside.length; at += perRow) {
      charts.push({ kind: "charts", metrics: inside.slice(at, at + perRow) });
    }
    return [header, ...charts];
  });
}
