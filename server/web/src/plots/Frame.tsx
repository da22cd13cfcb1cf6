import type { ReactNode } from "react";

import { fitted, withoutOverlap } from "../charts/names";
import styles from "./Plot.module.css";
import type { Scale } from "./scale";

/** The room around what is plotted, in pixels. */
export const MARGIN = { left: 62, right: 14, top: 12, bottom: 42 };
const LABEL_CHARACTERS_MAX = 14;
const Y_CHARACTERS_MAX = 7;
const CHARACTER_PX = 6.4;

interface Props {
  x: Pick<Scale, "name" | "isLog" | "ticks">;
  y: Pick<Scale, "name" | "isLog" | "ticks">;
  width: number;
  height: number;
  children: ReactNode;
}

/** From places between 0 and 1 to pixels. */
export function pixels(width: number, height: number) {
  const [w, h] = [width - MARGIN.left - MARGIN.right, height - MARGIN.top - MARGIN.bottom];
  return {
    toX: (at: number) => MARGIN.left + at * w,
    toY: (at: number) => MARGIN.top + (1 - at) * h,
    width: w,
    height: h,
  };
}

/** Two axes with their names, and between them what is plotted. */
export function Frame({ x, y, width, height, children }: Props) {
  const { toX, toY } = pixels(width, height);
  const foot = height - MARGIN.bottom;
  const [xLabels, yLabels] = [
    fitted(x.ticks.map(textOf), LABEL_CHARACTERS_MAX),
    fitted(y.ticks.map(textOf), Y_CHARACTERS_MAX),
  ];
  const readable = withoutOverlap(
    x.ticks.map(({ at }) => toX(at)),
    xLabels.map(({ length }) => (length + 1) * CHARACTER_PX),
  );
  return (
    <>
      <g className={styles.grid}>
        {x.ticks.map(({ at }) => (
          <line key={at} x1={toX(at)} x2={toX(at)} y1={MARGIN.top} y2={foot} />
        ))}
        {y.ticks.map(({ at }) => (
          <line key={at} x1={MARGIN.left} x2={width - MARGIN.right} y1={toY(at)} y2={toY(at)} />
        ))}
      </g>
      {children}
      <g className={styles.labels}>
        {x.ticks.map(
          ({ at, label }, place) =>
            readable.has(place) && (
              <text key={at} x={toX(at)} y={foot + 15} textAnchor="middle">
                <title>{label}</title>
                {xLabels[place]}
              </text>
            ),
        )}
        {y.ticks.map(({ at, label }, place) => (
          <text key={at} x={MARGIN.left - 6} y={toY(at) + 4} textAnchor="end">
            <title>{label}</title>
            {yLabels[place]}
          </text>
        ))}
        <text x={(MARGIN.left + width - MARGIN.right) / 2} y={height - 8} textAnchor="middle" className={styles.axis}>
          {axisLabel(x)}
        </text>
        <text
          transform={`translate(11 ${(MARGIN.top + foot) / 2}) rotate(-90)`}
          textAnchor="middle"
          className={styles.axis}
        >
          {axisLabel(y)}
        </text>
      </g>
    </>
  );
}

const textOf = ({ label }: { label: string }): string => label;

export function axisLabel({ name, isLog }: Pick<Scale, "name" | "isLog">): string {
  return isLog ? `${name} (log)` : name;
}

/** The beginning of a text that does not fit. */
export function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}
