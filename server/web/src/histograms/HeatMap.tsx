import { useEffect, useMemo, useRef, useState } from "react";

import { valueLabels } from "../charts/ticks";
import { counted, shortNumber, wholeNumber } from "../format/numbers";
import type { Histogram } from "../gen/stepwell_api/v1/ingest_pb";
import { useTheme } from "../theme/theme";
import { allEdges, heatOf } from "./heat";
import styles from "./Histograms.module.css";

const ROWS = 64;
/** Thin places are seen, too. */
const SHADE_POWER = 0.5;

/** How values are distributed over steps as a map; pointing at a step shows its histogram. */
export function HeatMap({ name, histograms }: { name: string; histograms: Histogram[] }) {
  const place = useRef<HTMLCanvasElement>(null);
  const theme = useTheme();
  const [pointed, setPointed] = useState<number | null>(null);
  const heat = useMemo(() => heatOf(histograms, ROWS), [histograms]);
  const chosen = histograms[Math.min(pointed ?? histograms.length - 1, histograms.length - 1)];
  useEffect(() => {
    const canvas = place.current;
    const brush = canvas?.getContext("2d");
    if (!canvas || !brush) return;
    canvas.width = histograms.length;
    canvas.height = ROWS;
    brush.fillStyle = getComputedStyle(canvas).color;
    for (let column = 0; column < histograms.length; column++)
      for (let row = 0; row < ROWS; row++) {
        brush.globalAlpha = (heat.cells[column * ROWS + row] as number) ** SHADE_POWER;
        brush.fillRect(column, ROWS - 1 - row, 1, 1);
      }
    canvas.dataset.drawn = String(histograms.length);
  }, [heat, histograms, theme]);
  const [low, high] = valueLabels([heat.low, heat.high]);
  return (
    <div className={styles.map}>
      <div className={styles.values}>
        <span>{high}</span>
        <span>{low}</span>
      </div>
      <canvas
        ref={place}
        role="img"
        aria-label={`${name} over ${counted(histograms.length, "step")}`}
        tabIndex={0}
        onPointerMove={({ nativeEvent: { offsetX }, currentTarget: { clientWidth } }) =>
          setPointed(Math.min(Math.floor((offsetX / clientWidth) * histograms.length), histograms.length - 1))
        }
        onPointerLeave={() => setPointed(null)}
        onKeyDown={({ key }) => {
          const by = { ArrowLeft: -1, ArrowRight: 1 }[key];
          if (by)
            setPointed((now) => Math.min(Math.max((now ?? histograms.length - 1) + by, 0), histograms.length - 1));
        }}
      />
      <div className={styles.steps}>
        <span>{wholeNumber(histograms[0]?.step ?? 0n)}</span>
        <span>{wholeNumber(histograms.at(-1)?.step ?? 0n)}</span>
      </div>
      {chosen && <Bars histogram={chosen} />}
    </div>
  );
}

/** One histogram, and in words what it is of. */
function Bars({ histogram }: { histogram: Histogram }) {
  const { counts, step, notFinite } = histogram;
  const edges = allEdges(histogram);
  const [low, high] = [edges[0] as number, edges.at(-1) as number];
  const density = counts.map((count, bin) => {
    const width = (edges[bin + 1] as number) - (edges[bin] as number);
    return width > 0 ? Number(count) / width : Number(count);
  });
  const most = Math.max(...density, Number.MIN_VALUE);
  const at = (value: number) => (high > low ? ((value - low) / (high - low)) * 100 : 0);
  const total = counts.reduce((sum, count) => sum + count, 0n);
  return (
    <>
      <svg className={styles.bars} viewBox="0 0 100 40" preserveAspectRatio="none" aria-hidden="true">
        {density.map((height, bin) => (
          <rect
            key={bin}
            x={at(edges[bin] as number)}
            width={high > low ? at(edges[bin + 1] as number) - at(edges[bin] as number) : 100}
            y={40 - (height / most) * 40}
            height={(height / most) * 40}
          />
        ))}
      </svg>
      <p className={styles.told}>
        step <b>{wholeNumber(step)}</b>: {wholeNumber(total)} values from {shortNumber(low)} to {shortNumber(high)}
        {notFinite > 0n && <span className={styles.odd}> and {wholeNumber(notFinite)} NaN or infinite</span>}
      </p>
    </>
  );
}
