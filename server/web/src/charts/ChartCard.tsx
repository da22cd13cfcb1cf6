import { useQuery } from "@tanstack/react-query";
import { useMemo, useRef, useState } from "react";

import { Button } from "../parts/Button";
import { DotsIcon } from "../parts/icons";
import { Dialog } from "../parts/Dialog";
import { Menu } from "../parts/Menu";
import { Failure } from "../parts/Notice";
import { samplesQuery } from "../queries/samples";
import { Chart, type ChartLook, type RunLook } from "./Chart";
import styles from "./ChartCard.module.css";
import { saveCsv, savePng } from "./download";
import type { Range } from "./ranges";
import { useVisible } from "./useVisible";
import { useWidth } from "./useWidth";

export const CHART_HEIGHT = 210;
const PIXELS_PER_BUCKET = 1;
const BUCKETS_MIN = 100;

export interface ChartRuns {
  ids: string[];
  looks: Map<string, RunLook>;
  /** Some of them still log. */
  live: boolean;
}

interface Props {
  metric: string;
  runs: ChartRuns;
  look: ChartLook;
  syncKey: string;
}

/** A metric of some runs: asks for its lines when it is in view, and again for the part that is zoomed into. */
export function ChartCard({ metric, runs, look, syncKey }: Props) {
  const place = useRef<HTMLElement>(null);
  const visible = useVisible(place);
  const [full, setFull] = useState(false);
  const [logY, setLogY] = useState(look.logY);
  const own = useMemo(() => ({ ...look, logY: look.logY !== logY ? logY : look.logY }), [look, logY]);
  const body = { metric, runs, look: own, syncKey };
  return (
    <section ref={place} className={styles.card} aria-label={`Chart of ${metric}`}>
      <header className={styles.header}>
        <h3 title={metric}>{metric}</h3>
        <Menu
          trigger={<Button kind="quiet" icon={<DotsIcon />} aria-label={`Actions for the chart of ${metric}`} />}
          items={[
            { label: "Full screen", act: () => setFull(true) },
            { label: own.logY ? "Linear y axis" : "Logarithmic y axis", act: () => setLogY(!own.logY) },
            { label: "Download PNG", act: () => place.current && savePng(place.current, metric) },
            { label: "Download CSV", act: () => void saveCsv(metric, runs, own) },
          ]}
        />
      </header>
      {visible ? <ChartBody {...body} height={CHART_HEIGHT} /> : <div style={{ height: CHART_HEIGHT }} />}
      {full && (
        <Dialog open wide title={metric} onClose={() => setFull(false)}>
          <ChartBody {...body} syncKey={`${syncKey}-full`} height={Math.round(window.innerHeight * 0.7)} />
        </Dialog>
      )}
    </section>
  );
}

function ChartBody({ metric, runs, look, syncKey, height }: Props & { height: number }) {
  const place = useRef<HTMLDivElement>(null);
  const width = useWidth(place);
  const [zoom, setZoom] = useState<{ from: bigint; to: bigint } | null>(null);
  const samples = useQuery({
    ...samplesQuery({
      metric,
      runIds: runs.ids,
      axis: look.axis,
      from: zoom?.from ?? null,
      to: zoom?.to ?? null,
      buckets: Math.max(BUCKETS_MIN, Math.round(width / PIXELS_PER_BUCKET / 50) * 50),
      live: runs.live,
    }),
    enabled: width > 0 && runs.ids.length > 0,
  });
  const columns = samples.data;
  const shown: Range | null =
    zoom && columns ? [Number(zoom.from - columns.base), Number(zoom.to - columns.base)] : null;
  return (
    <div ref={place} className={styles.body} style={{ minHeight: height }}>
      {samples.isError && !columns ? (
        <Failure error={samples.error} retry={() => void samples.refetch()} />
      ) : columns && columns.series.length === 0 ? (
        <p className={styles.nothing}>{zoom ? "No points in this range." : "These runs have no points of it."}</p>
      ) : columns && width > 0 ? (
        <Chart
          columns={columns}
          look={look}
          runs={runs.looks}
          width={width}
          height={height}
          syncKey={syncKey}
          zoom={shown}
          onZoom={(range) => setZoom(range && exact(range, columns.base))}
        />
      ) : null}
      {zoom && (
        <Button className={styles.reset} onClick={() => setZoom(null)}>
          Show all
        </Button>
      )}
    </div>
  );
}

function exact([low, high]: Range, base: bigint): { from: bigint; to: bigint } {
  return { from: base + BigInt(Math.floor(low)), to: base + BigInt(Math.ceil(high)) };
}
