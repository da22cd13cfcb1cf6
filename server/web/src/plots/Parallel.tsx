import { useState, type PointerEvent } from "react";

import { fitted } from "../charts/names";
import { axisLabel, cut, MARGIN } from "./Frame";
import styles from "./Plot.module.css";
import type { Drawing } from "./PlotBody";
import { shade } from "./statistics";

const SIDE = 60;
/** What fits beside the first axis. */
const LABEL_CHARACTERS_MAX = 8;
const BRUSH_WIDTH = 16;
const FOOT = 24;
/** Strokes of an axis that are shorter than this part of it take its range away. */
const BRUSH_MIN = 0.02;

type Range = [low: number, high: number];

/** A line for each run over all axes, shaded by the last one. Draw along an axis to keep what passes through there. */
export function Parallel({ data, width, height, onHover, onOpen, hovered }: Drawing) {
  const [brushes, setBrushes] = useState<ReadonlyMap<number, Range>>(new Map());
  const { rows, scales } = data;
  const toX = (place: number) => SIDE + (place * (width - 2 * SIDE)) / Math.max(scales.length - 1, 1);
  const span = height - MARGIN.top - 20 - FOOT;
  const toY = (at: number) => MARGIN.top + 20 + (1 - at) * span;
  const last = scales.length - 1;
  const lines = rows.map((row) => ({ row, at: scales.map((scale, place) => scale.at(row.values[place])) }));
  const inside = (at: number[]) =>
    [...brushes].every(([place, [low, high]]) => (at[place] as number) >= low && (at[place] as number) <= high);
  const brush = (place: number, range: Range | null) =>
    setBrushes((now) => new Map(range ? [...now, [place, range]] : [...now].filter(([one]) => one !== place)));
  return (
    <>
      <g fill="none">
        {lines.map(({ row, at }) => {
          const shown = inside(at);
          const shadeAt = at[last] as number;
          return (
            <path
              key={row.runId}
              d={pathOf(at, toX, toY)}
              className={styles.line}
              stroke={Number.isNaN(shadeAt) ? "#888888" : shade(shadeAt)}
              strokeWidth={hovered?.runId === row.runId ? 3 : 1.3}
              opacity={shown ? (hovered && hovered.runId !== row.runId ? 0.3 : 0.85) : 0.06}
              pointerEvents={shown ? "stroke" : "none"}
              onPointerEnter={() => onHover(row)}
              onPointerLeave={() => onHover(null)}
              onClick={() => onOpen(row)}
            />
          );
        })}
      </g>
      {scales.map((scale, place) => (
        <g key={place} className={styles.labels}>
          <line x1={toX(place)} x2={toX(place)} y1={toY(1)} y2={toY(0)} className={styles.upright} />
          {fitted(
            scale.ticks.map(({ label }) => label),
            LABEL_CHARACTERS_MAX,
          ).map((label, number) => (
            <text
              key={number}
              x={toX(place) - 4}
              y={toY(scale.ticks[number]?.at ?? 0) + 4}
              textAnchor="end"
              className={styles.outlined}
            >
              <title>{scale.ticks[number]?.label}</title>
              {label}
            </text>
          ))}
          <text x={toX(place)} y={MARGIN.top + 6} textAnchor="middle" className={styles.axis}>
            <title>{axisLabel(scale)}</title>
            {cut(axisLabel(scale), Math.max(8, Math.floor((width - 2 * SIDE) / scales.length / 7)))}
          </text>
          <Brush
            x={toX(place)}
            top={toY(1)}
            span={span}
            range={brushes.get(place)}
            onRange={(range) => brush(place, range)}
          />
        </g>
      ))}
    </>
  );
}

interface BrushProps {
  x: number;
  top: number;
  span: number;
  range: Range | undefined;
  onRange: (range: Range | null) => void;
}

function Brush({ x, top, span, range, onRange }: BrushProps) {
  const [start, setStart] = useState<number | null>(null);
  const at = (event: PointerEvent<SVGRectElement>) => {
    const box = event.currentTarget.getBoundingClientRect();
    return Math.min(Math.max(1 - (event.clientY - box.top) / box.height, 0), 1);
  };
  const move = (event: PointerEvent<SVGRectElement>) => {
    if (start === null) return;
    const now = at(event);
    onRange(Math.abs(now - start) < BRUSH_MIN ? null : [Math.min(start, now), Math.max(start, now)]);
  };
  return (
    <>
      {range && (
        <rect
          className={styles.brushed}
          x={x - BRUSH_WIDTH / 2}
          width={BRUSH_WIDTH}
          y={top + (1 - range[1]) * span}
          height={(range[1] - range[0]) * span}
        />
      )}
      <rect
        className={styles.brush}
        x={x - BRUSH_WIDTH / 2}
        width={BRUSH_WIDTH}
        y={top}
        height={span}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          setStart(at(event));
          onRange(null);
        }}
        onPointerMove={move}
        onPointerUp={() => setStart(null)}
      />
    </>
  );
}

/** A line through all places that are known; it is broken where one is missing. */
function pathOf(at: number[], toX: (place: number) => number, toY: (at: number) => number): string {
  let path = "";
  let pen = false;
  for (const [place, one] of at.entries()) {
    if (!Number.isNaN(one)) path += `${pen ? "L" : "M"}${toX(place).toFixed(1)} ${toY(one).toFixed(1)}`;
    pen = !Number.isNaN(one);
  }
  return path;
}
