import { useQuery } from "@tanstack/react-query";
import { useMemo, useRef } from "react";

import { useWidth } from "../charts/useWidth";
import { colorNumber, colorOf } from "../charts/colors";
import { wholeNumber } from "../format/numbers";
import type { Run } from "../gen/stepwell_api/v1/runs_pb";
import { Failure } from "../parts/Notice";
import { listedQuery, type RunSearch } from "../queries/runs";
import { column, type Column } from "../table/columns";
import { useTheme } from "../theme/theme";
import type { PlotKind } from "./kinds";
import { PlotBody } from "./PlotBody";
import styles from "./Plot.module.css";
import { plotData } from "./rows";

/** The runs that plots show: those that are given, or the first ones that a search finds. */
export interface PlotSource {
  runs: Run[] | null;
  search: Pick<RunSearch, "experimentIds" | "filter" | "deleted" | "orderBy">;
  hidden: ReadonlySet<string>;
  colors: ReadonlyMap<string, string>;
  /** What runs may have: the choice for axes. */
  columns: Column[];
}

interface Props {
  kind: PlotKind;
  columnIds: string[];
  title: string;
  source: PlotSource;
  height: number;
}

/** The runs that a plot shows of a search, at most: the first ones in order. */
const PLOT_RUNS_MAX = 1_000;
/** What tells that there are more. */
const NOTE_PX = 20;
const NOBODY: Run[] = [];

/** A plot over runs, which are asked for with its columns alone. */
export function PlotPane({ kind, columnIds, title, source, height }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const width = useWidth(place);
  const dark = useTheme() === "dark";
  const columns = useMemo(() => columnIds.map(column).filter((one) => one !== null), [columnIds.join("\n")]);
  const keys = (wanted: Column["kind"]) => columns.filter((one) => one.kind === wanted).map((one) => one.key);
  const wanted = {
    ...source.search,
    params: keys("params"),
    metrics: keys("metrics"),
    tags: keys("tags"),
    summaries: columns.some((one) => one.of),
    as: "flat" as const,
  };
  const found = useQuery({ ...listedQuery(wanted, PLOT_RUNS_MAX), enabled: source.runs === null });
  const runs = source.runs ?? found.data?.runs ?? NOBODY;
  const data = useMemo(() => {
    const shown = runs.filter(({ info }) => info && !source.hidden.has(info.runId));
    return plotData(shown, columns, (runId) => source.colors.get(runId) ?? colorOf(colorNumber(runId), dark));
  }, [runs, columns, source.hidden, source.colors, dark]);
  const isCut = source.runs === null && Boolean(found.data?.nextPageToken);
  const bodyHeight = isCut ? height - NOTE_PX : height;
  return (
    <div ref={place} style={{ minHeight: height }}>
      {found.isLoadingError ? (
        <Failure error={found.error} retry={() => void found.refetch()} />
      ) : (
        width > 0 && <PlotBody kind={kind} title={title} data={data} width={width} height={bodyHeight} />
      )}
      {isCut && (
        <p className={styles.note} style={{ height: NOTE_PX }}>
          The first {wholeNumber(PLOT_RUNS_MAX)} runs that the filter finds
        </p>
      )}
    </div>
  );
}
