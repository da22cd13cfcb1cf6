import { counted, wholeNumber } from "../format/numbers";
import { Frame, pixels } from "./Frame";
import styles from "./Plot.module.css";
import type { Drawing } from "./PlotBody";
import { labelled, numberOf, roundTicks, type Scale } from "./scale";
import { binsOf, boxOf } from "./statistics";

const BARS_MAX = 50;
const BOXES_MAX = 30;
const NO_GROUP = "–";

/** How the values of a column are spread over the runs. */
export function Histogram({ data, width, height }: Drawing) {
  const [x] = data.scales;
  if (!x) return null;
  const { toX, toY } = pixels(width, height);
  const places = data.rows.map((row) => x.at(row.values[0]));
  const bins = binsOf(places);
  const most = Math.max(1, ...bins.map(({ count }) => count));
  const ticks = roundTicks(0, most).filter(Number.isInteger);
  const y = {
    name: "runs",
    isLog: false,
    ticks: ticks.map((count) => ({ at: count / most, label: wholeNumber(count) })),
  };
  return (
    <Frame x={x} y={y} width={width} height={height}>
      {bins.map(({ from, to, count }) => (
        <rect
          key={from}
          className={styles.bar}
          x={toX(from) + 0.5}
          width={Math.max(toX(to) - toX(from) - 1, 1)}
          y={toY(count / most)}
          height={toY(0) - toY(count / most)}
        >
          <title>{counted(count, "run")}</title>
        </rect>
      ))}
    </Frame>
  );
}

/** Quartiles of a column, for each value of another one. */
export function Boxes({ data, width, height }: Drawing) {
  const [y, group] = data.scales;
  if (!y) return null;
  const { toX, toY } = pixels(width, height);
  const groups = new Map<string, number[]>();
  for (const row of data.rows) {
    const at = y.at(row.values[0]);
    const name = group ? String(row.values[1] ?? NO_GROUP) : "all runs";
    if (!Number.isNaN(at)) groups.set(name, [...(groups.get(name) ?? []), at]);
  }
  const order = new Intl.Collator("en", { numeric: true }).compare;
  const shown = [...groups].sort(([a], [b]) => order(a, b)).slice(0, BOXES_MAX);
  const note = groups.size > BOXES_MAX ? ` (the first ${BOXES_MAX} of ${wholeNumber(groups.size)})` : "";
  const place = (number: number) => (number + 0.5) / shown.length;
  const x = {
    name: `${group?.name ?? ""}${note}`,
    isLog: false,
    ticks: shown.map(([name], number) => ({ at: place(number), label: name })),
  };
  const half = Math.min(28, (toX(1) - toX(0)) / shown.length / 3);
  return (
    <Frame x={x} y={y} width={width} height={height}>
      {shown.map(([name, places], number) => {
        const box = boxOf(places);
        const middle = toX(place(number));
        return (
          <g key={name} className={styles.box}>
            <title>{`${name}: ${counted(box.count, "run")}`}</title>
            <line x1={middle} x2={middle} y1={toY(box.low)} y2={toY(box.high)} />
            <rect
              x={middle - half}
              width={2 * half}
              y={toY(box.third)}
              height={Math.max(toY(box.first) - toY(box.third), 1)}
            />
            <line
              className={styles.median}
              x1={middle - half}
              x2={middle + half}
              y1={toY(box.median)}
              y2={toY(box.median)}
            />
            {box.outliers.map((at, one) => (
              <circle key={one} cx={middle} cy={toY(at)} r={2.5} />
            ))}
          </g>
        );
      })}
    </Frame>
  );
}

/** A bar for each run, the greatest value first. */
export function Bars({ data, width, height, onHover, onOpen }: Drawing) {
  const [scale] = data.scales;
  if (!scale) return null;
  const known = data.rows.flatMap((row) => {
    const value = numberOf(row.values[0]);
    return value !== null && Number.isFinite(value) ? [{ row, value }] : [];
  });
  const shown = known.sort((a, b) => b.value - a.value).slice(0, BARS_MAX);
  const [low, high] = [
    Math.min(0, ...shown.map(({ value }) => value)),
    Math.max(0, ...shown.map(({ value }) => value)),
  ];
  const at = (value: number) => (high > low ? (value - low) / (high - low) : 0);
  const ticks = labelled(roundTicks(low, high), at);
  const note = known.length > BARS_MAX ? ` (the first ${BARS_MAX} of ${wholeNumber(known.length)} runs)` : "";
  const x = { name: `${scale.name}${note}`, isLog: false, ticks };
  const names = shown.map(({ row }, number) => ({ at: 1 - (number + 0.5) / shown.length, label: row.name }));
  const every = Math.ceil((shown.length * 14) / height);
  const y = { name: "", isLog: false, ticks: names };
  const { toX, toY } = pixels(width, height);
  const thick = Math.max((toY(0) - toY(1)) / Math.max(shown.length, 1) - 2, 1);
  return (
    <Frame x={x} y={{ ...y, ticks: y.ticks.filter((_, number) => number % every === 0) }} width={width} height={height}>
      {shown.map(({ row, value }, number) => (
        <rect
          key={row.runId}
          className={styles.dot}
          fill={row.color}
          x={Math.min(toX(at(0)), toX(at(value)))}
          width={Math.max(Math.abs(toX(at(value)) - toX(at(0))), 1)}
          y={toY((names[number] as Scale["ticks"][0]).at) - thick / 2}
          height={thick}
          onPointerEnter={() => onHover(row)}
          onPointerLeave={() => onHover(null)}
          onClick={() => onOpen(row)}
        />
      ))}
    </Frame>
  );
}
