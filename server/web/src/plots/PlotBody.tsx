import { useNavigate } from "@tanstack/react-router";
import { useState, type ComponentType } from "react";

import { counted, shortNumber } from "../format/numbers";
import { Bars, Boxes, Histogram } from "./Distributions";
import { PLOTS, type PlotKind } from "./kinds";
import { Parallel } from "./Parallel";
import styles from "./Plot.module.css";
import type { PlotData, PlotRow } from "./rows";
import { Scatter } from "./Scatter";

/** What each kind of plot is given. */
export interface Drawing {
  data: PlotData;
  width: number;
  height: number;
  hovered: PlotRow | null;
  onHover: (row: PlotRow | null) => void;
  onOpen: (row: PlotRow) => void;
}

const DRAWN: Record<PlotKind, ComponentType<Drawing>> = {
  scatter: Scatter,
  contour: (given) => <Scatter {...given} contour />,
  parallel: Parallel,
  box: Boxes,
  bar: Bars,
  histogram: Histogram,
};

interface Props {
  kind: PlotKind;
  title: string;
  data: PlotData;
  width: number;
  height: number;
}

/** A plot of runs by their values in some columns; what is pointed at is named below, a click opens it. */
export function PlotBody({ kind, title, data, width, height }: Props) {
  const [hovered, setHovered] = useState<PlotRow | null>(null);
  const navigate = useNavigate();
  const open = ({ experimentId, runId }: PlotRow) =>
    void navigate({ to: "/experiments/$experimentId/runs/$runId", params: { experimentId, runId } });
  const Drawn = DRAWN[kind];
  if (data.scales.length < PLOTS[kind].needed) return <p className={styles.nothing}>Its columns are not there.</p>;
  return (
    <div className={styles.plot}>
      <svg
        role="img"
        aria-label={`${PLOTS[kind].label} of ${counted(data.rows.length, "run")}: ${title}`}
        viewBox={`0 0 ${width} ${height}`}
        width={width}
        height={height}
      >
        <Drawn {...{ data, width, height, hovered }} onHover={setHovered} onOpen={open} />
      </svg>
      {hovered && (
        <div className={styles.told} role="presentation">
          <b>{hovered.name}</b>
          {data.scales.map(({ name }, place) => (
            <span key={place}>
              {name} {told(hovered.values[place])}
            </span>
          ))}
        </div>
      )}
    </div>
  );
}

function told(value: string | number | undefined): string {
  return typeof value === "number" ? shortNumber(value) : (value ?? "–");
}
