import { lazy, Suspense, useMemo, useRef, useState, type DragEvent } from "react";

import { Button } from "../parts/Button";
import { Dialog } from "../parts/Dialog";
import { DotsIcon } from "../parts/icons";
import { Menu } from "../parts/Menu";
import { complain } from "../parts/toast";
import type { ChartLook } from "./Chart";
import type { OneLook } from "../url/chartsView";
import { ChartBody, type ChartRuns } from "./ChartBody";
import styles from "./ChartCard.module.css";
import { saveCsv, savePng, saveSvg } from "./download";
import type { Cover } from "./groups";
import type { ChartSpec } from "./specs";
import type { Shape } from "./shapes";
import { useVisible } from "./useVisible";
import { boundsOf, zoomOf } from "./zoom";

// Plots are for some; they come with the first of them.
const PlotPane = lazy(() => import("../plots/PlotPane").then(({ PlotPane }) => ({ default: PlotPane })));

const FULL_SCREEN_PART = 0.7;
const DRAGGED = "application/x-stepwell-chart";

/** What can be done with a chart beside looking at it; what is left out cannot. */
export interface ChartActs {
  onMove: (id: string, before: string) => void;
  /** The charts of the same section, in order. */
  neighbours: string[];
  onEdit?: () => void;
  onRemove?: () => void;
}

interface Props {
  spec: ChartSpec;
  runs: ChartRuns;
  look: ChartLook;
  syncKey: string;
  height: number;
  acts: ChartActs;
  /** How it is drawn where it is not as all are. It stands in the address: a chart out of view is not there. */
  one: OneLook;
  onOne: (part: OneLook) => void;
}

/** A chart of some runs: asks for its lines when it is in view. It can be moved by its header, or by its menu. */
export function ChartCard({ spec, runs, look, syncKey, height, acts, one, onOne }: Props) {
  const place = useRef<HTMLElement>(null);
  const visible = useVisible(place);
  const [full, setFull] = useState(false);
  const [drawn, setDrawn] = useState<Shape>("lines");
  const [cover, setCover] = useState<Cover | null>(null);
  const own = useMemo(() => ({ ...look, logY: one.logY ?? look.logY }), [look, one.logY]);
  const bounds = useMemo(() => boundsOf(one.zoom, look.axis), [one.zoom?.join(), look.axis]);
  const starts = useMemo(() => new Map([...runs.looks].map(([id, { startMs }]) => [id, startMs])), [runs.looks]);
  const body = (height: number, key: string) =>
    spec.plot && runs.plots ? (
      <Suspense>
        <PlotPane
          kind={spec.plot.kind}
          columnIds={spec.plot.columns}
          title={spec.title}
          source={runs.plots}
          height={height}
        />
      </Suspense>
    ) : (
      <ChartBody
        metrics={spec.metrics}
        runs={runs}
        starts={starts}
        look={own}
        syncKey={key}
        height={height}
        shape={one.shape ?? null}
        bounds={bounds}
        onBounds={(bounds) => onOne({ zoom: bounds ? zoomOf(look.axis, bounds) : undefined })}
        onShape={setDrawn}
        onCover={setCover}
      />
    );
  const [over, setOver] = useState(false);
  const drop = (event: DragEvent) => {
    setOver(false);
    const id = event.dataTransfer.getData(DRAGGED);
    if (id && acts.neighbours.includes(id)) acts.onMove(id, spec.id);
  };
  return (
    <section
      ref={place}
      className={`${styles.card} ${over ? styles.over : ""}`}
      aria-label={`Chart of ${spec.title}`}
      onDragOver={(event) => {
        if (!event.dataTransfer.types.includes(DRAGGED)) return;
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      <header className={styles.header} draggable onDragStart={(event) => event.dataTransfer.setData(DRAGGED, spec.id)}>
        <h3 title={spec.metrics.length > 1 ? spec.metrics.join("\n") : spec.title}>{spec.title}</h3>
        {spec.metrics.length > 1 && <small>{spec.metrics.length} metrics</small>}
        {cover && <small title={cover.full}>{cover.short}</small>}
        <Menu
          trigger={<Button kind="quiet" icon={<DotsIcon />} aria-label={`Actions for the chart of ${spec.title}`} />}
          items={[
            { label: "Full screen", act: () => setFull(true) },
            ...(spec.plot ? [] : [turn(drawn, (shape) => onOne({ shape }))]),
            ...(spec.plot || drawn === "bars"
              ? []
              : [{ label: own.logY ? "Linear y axis" : "Logarithmic y axis", act: () => onOne({ logY: !own.logY }) }]),
            ...moves(spec.id, acts),
            ...(acts.onEdit ? [{ label: "Edit", act: acts.onEdit }] : []),
            { label: "Download PNG", act: () => place.current && void savePng(place.current, spec.title) },
            { label: "Download SVG", act: () => place.current && saveSvg(place.current, spec.title) },
            ...(spec.plot ? [] : [{ label: "Download CSV", act: () => void saveCsv(spec, runs, own).catch(complain) }]),
            ...(acts.onRemove ? [{ label: "Remove", act: acts.onRemove, danger: true }] : []),
          ]}
        />
      </header>
      {visible ? body(height, syncKey) : <div style={{ height }} />}
      {full && (
        <Dialog open full title={spec.title} onClose={() => setFull(false)}>
          {body(Math.round(window.innerHeight * FULL_SCREEN_PART), `${syncKey}-full`)}
        </Dialog>
      )}
    </section>
  );
}

function turn(drawn: Shape, choose: (shape: Shape) => void) {
  return drawn === "lines"
    ? { label: "Bars of the latest values", act: () => choose("bars") }
    : { label: "Lines", act: () => choose("lines") };
}

function moves(id: string, { neighbours, onMove }: ChartActs) {
  const at = neighbours.indexOf(id);
  const [before, after, first] = [neighbours[at - 1], neighbours[at + 1], neighbours[0]];
  return [
    ...(before !== undefined ? [{ label: "Move before the one before", act: () => onMove(id, before) }] : []),
    ...(after !== undefined ? [{ label: "Move behind the next", act: () => onMove(after, id) }] : []),
    ...(first !== undefined && at > 1 ? [{ label: "Move to the front", act: () => onMove(id, first) }] : []),
  ];
}
