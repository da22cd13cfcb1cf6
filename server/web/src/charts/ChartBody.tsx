import { useRef, useState } from "react";

import { distance } from "../live/LiveLines";
import { useLiveLines } from "../live/useLiveLines";
import { Button } from "../parts/Button";
import { Failure } from "../parts/Notice";
import type { PlotSource } from "../plots/PlotPane";
import type { Bounds } from "../queries/samples";
import { Chart, type ChartLook, type RunLook } from "./Chart";
import styles from "./ChartCard.module.css";
import type { Range } from "./ranges";
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
}

interface Props {
  metrics: string[];
  runs: ChartRuns;
  starts: Map<string, number>;
  look: ChartLook;
  syncKey: string;
  height: number;
}

/** The lines of a chart, asked for as wide as they are drawn, and again for the part that is zoomed into. */
export function ChartBody({ metrics, runs, starts, look, syncKey, height }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const width = useWidth(place);
  const [bounds, setBounds] = useState<Bounds | null>(null);
  const buckets = Math.max(BUCKETS_MIN, Math.round(width / PIXELS_PER_BUCKET / BUCKETS_STEP) * BUCKETS_STEP);
  const { columns, error, retry } = useLiveLines(
    { metrics, runIds: runs.ids, axis: look.axis, bounds, buckets, live: runs.live, withHidden: look.withHidden },
    starts,
    width > 0 && runs.ids.length > 0 && metrics.length > 0,
  );
  const zoom: Range | null =
    bounds && columns ? [distance(bounds.from, columns.base), distance(bounds.to, columns.base)] : null;
  return (
    <div ref={place} className={styles.body} style={{ minHeight: height }}>
      {metrics.length === 0 ? (
        <p className={styles.nothing}>No metric is called so.</p>
      ) : error && !columns ? (
        <Failure error={error} retry={retry} />
      ) : columns && columns.series.length === 0 ? (
        <p className={styles.nothing}>{bounds ? "No points in this range." : "These runs have no points of it."}</p>
      ) : columns && width > 0 ? (
        <Chart
          columns={columns}
          look={look}
          runs={runs.looks}
          width={width}
          height={height}
          syncKey={syncKey}
          zoom={zoom}
          onZoom={(range) => setBounds(range && exact(range, columns.base, look.axis.startsWith("metric:")))}
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

function exact([low, high]: Range, base: bigint, isValue: boolean): Bounds {
  if (isValue) return { from: low, to: high };
  return { from: base + BigInt(Math.floor(low)), to: base + BigInt(Math.ceil(high)) };
}
