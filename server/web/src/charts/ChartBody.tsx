import { useEffect, useMemo, useRef, useState } from "react";

import { distance } from "../live/LiveLines";
import { useLiveLines } from "../live/useLiveLines";
import { Button } from "../parts/Button";
import { Failure } from "../parts/Notice";
import type { PlotSource } from "../plots/PlotPane";
import type { Bounds } from "../queries/samples";
import { useTheme } from "../theme/theme";
import { Bars, isOnePointEach } from "./Bars";
import { Chart, type ChartLook, type RunLook } from "./Chart";
import styles from "./ChartCard.module.css";
import { groupLines } from "./groups";
import { toLines } from "./lines";
import type { Range } from "./ranges";
import type { Columns } from "./series";
import { metricOf } from "./ticks";
import { useWidth } from "./useWidth";

const PIXELS_PER_BUCKET = 1;
const BUCKETS_MIN = 100;
const BUCKETS_STEP = 50;

export interface ChartRuns {
  ids: string[];
  looks: Map<string, RunLook>;
  /** Some of them still log. */
  live: boolean;
  /** What plots over runs show; where it is left out there are none. */
  plots?: PlotSource;
  /** Where runs are drawn as one line a group: the group of each, and the looks of groups. */
  groups?: { of: ReadonlyMap<string, string>; looks: Map<string, RunLook> };
}

/** Lines over x, or a bar for the latest value of each; bars where there is one point a line, unless it is chosen. */
export type Shape = "lines" | "bars";

interface Props {
  metrics: string[];
  runs: ChartRuns;
  starts: Map<string, number>;
  look: ChartLook;
  syncKey: string;
  height: number;
  shape: Shape | null;
  /** Told what it is where nothing is chosen. */
  onShape: (shape: Shape) => void;
}

/** The lines of a chart, asked for as wide as they are drawn, and again for the part that is zoomed into. */
export function ChartBody({ metrics, runs, starts, look, syncKey, height, shape, onShape }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const width = useWidth(place);
  const [bounds, setBounds] = useState<Bounds | null>(null);
  const buckets = Math.max(BUCKETS_MIN, Math.round(width / PIXELS_PER_BUCKET / BUCKETS_STEP) * BUCKETS_STEP);
  const {
    columns: found,
    error,
    retry,
  } = useLiveLines(
    { metrics, runIds: runs.ids, axis: look.axis, bounds, buckets, live: runs.live, withHidden: look.withHidden },
    starts,
    width > 0 && runs.ids.length > 0 && metrics.length > 0,
  );
  const columns = useMemo(
    () => found && (runs.groups ? groupLines(found, runs.groups.of, buckets, look.spread) : found),
    [found, runs.groups, buckets, look.spread],
  );
  const usual: Shape = found && metricOf(look.axis) === null && isOnePointEach(found.series) ? "bars" : "lines";
  useEffect(() => onShape(shape ?? usual), [shape ?? usual]);
  return (
    <div ref={place} className={styles.body} style={{ minHeight: height }}>
      {metrics.length === 0 ? (
        <p className={styles.nothing}>No metric is called so.</p>
      ) : error && !columns ? (
        <Failure error={error} retry={retry} />
      ) : columns && columns.series.length === 0 ? (
        <p className={styles.nothing}>{bounds ? "No points in this range." : "These runs have no points of it."}</p>
      ) : columns && width > 0 ? (
        <Drawn
          shape={shape ?? usual}
          columns={columns}
          look={look}
          runs={runs.groups?.looks ?? runs.looks}
          width={width}
          height={height}
          syncKey={syncKey}
          zoom={bounds && [distance(bounds.from, columns.base), distance(bounds.to, columns.base)]}
          onZoom={(range) => setBounds(range && exact(range, columns.base, metricOf(look.axis) !== null))}
        />
      ) : null}
      {bounds && (
        <Button className={styles.reset} onClick={() => setBounds(null)}>
          Show all
        </Button>
      )}
    </div>
  );
}

interface DrawnProps {
  shape: Shape;
  columns: Columns;
  look: ChartLook;
  runs: Map<string, RunLook>;
  width: number;
  height: number;
  syncKey: string;
  zoom: Range | null;
  onZoom: (range: Range | null) => void;
}

function Drawn({ shape, ...chart }: DrawnProps) {
  const { columns, look, runs, width, height } = chart;
  const dark = useTheme() === "dark";
  if (shape === "lines") return <Chart {...chart} />;
  const lines = toLines(columns, { ...look, smoothing: 0 }, runs, dark);
  return <Bars lines={lines} width={width} height={height} />;
}

function exact([low, high]: Range, base: bigint, isValue: boolean): Bounds {
  if (isValue) return { from: low, to: high };
  return { from: base + BigInt(Math.floor(low)), to: base + BigInt(Math.ceil(high)) };
}
