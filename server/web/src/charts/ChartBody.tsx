import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useRef } from "react";

import { distance } from "../live/LiveLines";
import { useLiveLines } from "../live/useLiveLines";
import { Button } from "../parts/Button";
import { Failure } from "../parts/Notice";
import type { PlotSource } from "../plots/PlotPane";
import { groupLinesQuery, type Groups, type GroupsAnswer } from "../queries/groupLines";
import type { Bounds, SampleQuestion } from "../queries/samples";
import { useTheme } from "../theme/theme";
import { Bars, isOnePointEach } from "./Bars";
import { Chart, type ChartLook, type RunLook } from "./Chart";
import styles from "./ChartCard.module.css";
import { coverOf, groupLines, type Cover } from "./groups";
import { toLines } from "./lines";
import type { Range } from "./ranges";
import type { Columns } from "./series";
import type { Shape } from "./shapes";
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
  /** Where groups have lines instead of runs: what finds the runs of each, and the looks of groups in the same order. */
  groups?: Groups & { looks: Map<string, RunLook> };
}

interface Props {
  metrics: string[];
  runs: ChartRuns;
  starts: Map<string, number>;
  look: ChartLook;
  syncKey: string;
  height: number;
  shape: Shape | null;
  /** The part of x that is shown; null for all. */
  bounds: Bounds | null;
  onBounds: (bounds: Bounds | null) => void;
  /** Told what it is where nothing is chosen. */
  onShape: (shape: Shape) => void;
  /** Told how many runs the lines of groups are made of. */
  onCover: (cover: Cover | null) => void;
}

/** The lines of a chart, asked for as wide as they are drawn, and again for the part that is zoomed into. */
export function ChartBody(props: Props) {
  const { metrics, runs, starts, look, syncKey, height, shape, bounds, onBounds, onShape, onCover } = props;
  const place = useRef<HTMLDivElement>(null);
  const width = useWidth(place);
  const buckets = Math.max(BUCKETS_MIN, Math.round(width / PIXELS_PER_BUCKET / BUCKETS_STEP) * BUCKETS_STEP);
  const isReady = width > 0 && metrics.length > 0;
  const asked = { metrics, axis: look.axis, bounds, buckets, live: runs.live, withHidden: look.withHidden };
  const ofRuns = useLiveLines({ ...asked, runIds: runs.ids }, starts, isReady && !runs.groups && runs.ids.length > 0);
  const ofGroups = useGroupLines(asked, runs.groups, look, isReady);
  const { columns, error, retry } = runs.groups ? ofGroups : ofRuns;
  const usual: Shape = columns && metricOf(look.axis) === null && isOnePointEach(columns.series) ? "bars" : "lines";
  useEffect(() => onShape(shape ?? usual), [shape ?? usual]);
  useEffect(() => onCover(ofGroups.cover), [ofGroups.cover]);
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
          onZoom={(range) => onBounds(range && exact(range, columns.base, metricOf(look.axis) !== null))}
        />
      ) : isReady ? (
        <p className={`${styles.nothing} ${styles.loading}`}>Loading …</p>
      ) : null}
      {bounds && (
        <Button className={styles.reset} onClick={() => onBounds(null)}>
          Show all
        </Button>
      )}
    </div>
  );
}

const NO_GROUPS: Groups = { scope: { experimentIds: [], deleted: false }, filters: [] };

/** The lines of groups, and how many runs they are made of. */
function useGroupLines(
  asked: Omit<SampleQuestion, "runIds">,
  groups: ChartRuns["groups"],
  { spread }: ChartLook,
  isReady: boolean,
) {
  const enabled = isReady && groups !== undefined && groups.filters.length > 0;
  const { data, error, refetch } = useQuery({ ...groupLinesQuery(groups ?? NO_GROUPS, asked), enabled });
  const known = useMemo(() => (groups && data ? shownLines(data, groups) : undefined), [data, groups]);
  const columns = useMemo(
    () => known && groupLines(known.lines, known.ids, known.metrics, spread, metricOf(known.axis) !== null),
    [known, spread],
  );
  const cover = useMemo(() => (known ? coverOf(known.lines, known.names) : null), [known]);
  return { columns, cover, error, retry: () => void refetch() };
}

/** The lines of an answer whose groups are shown now, with their ids and names. */
function shownLines(answer: GroupsAnswer, { filters, looks }: NonNullable<ChartRuns["groups"]>) {
  const now = new Map([...looks].map(([id, { name }], place) => [filters[place], { id, name }]));
  const shown = answer.filters.map((filter) => now.get(filter));
  return {
    ...answer,
    lines: answer.lines.filter(({ group }) => shown[group]),
    ids: shown.map((one) => one?.id ?? ""),
    names: shown.map((one) => one?.name ?? ""),
  };
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
