import { Frame, pixels } from "./Frame";
import styles from "./Plot.module.css";
import type { Drawing } from "./PlotBody";
import { shade, surface } from "./statistics";

const RADIUS = 4;
const GRID = { columns: 80, rows: 60 };
/** Steps of colour in a surface: their borders are its contours. */
const BANDS = 12;

/** A dot for each run that has both values; a third column gives it its shade. With `contour`, over a surface of it. */
export function Scatter({ data, width, height, onHover, onOpen, contour }: Drawing & { contour?: boolean }) {
  const [x, y, z] = data.scales;
  if (!x || !y) return null;
  const { toX, toY } = pixels(width, height);
  const dots = data.rows.flatMap((row) => {
    const [atX, atY, atZ] = [x.at(row.values[0]), y.at(row.values[1]), z?.at(row.values[2]) ?? Number.NaN];
    return Number.isNaN(atX) || Number.isNaN(atY) ? [] : [{ row, atX, atY, atZ }];
  });
  return (
    <Frame x={x} y={y} width={width} height={height}>
      {contour && <Surface points={dots.map(({ atX, atY, atZ }) => [atX, atY, atZ])} width={width} height={height} />}
      {dots.map(({ row, atX, atY, atZ }) => (
        <circle
          key={row.runId}
          className={styles.dot}
          cx={toX(atX)}
          cy={toY(atY)}
          r={RADIUS}
          fill={z ? (Number.isNaN(atZ) ? "none" : shade(atZ)) : row.color}
          stroke={z && Number.isNaN(atZ) ? row.color : contour ? "#ffffff" : "none"}
          onPointerEnter={() => onHover(row)}
          onPointerLeave={() => onHover(null)}
          onClick={() => onOpen(row)}
        />
      ))}
    </Frame>
  );
}

function Surface({ points, width, height }: { points: [number, number, number][]; width: number; height: number }) {
  const { toX, toY, width: w, height: h } = pixels(width, height);
  const known = points.filter(([, , z]) => !Number.isNaN(z));
  if (known.length === 0) return null;
  const grid = surface(known, GRID.columns, GRID.rows);
  const cells = [];
  for (let row = 0; row < GRID.rows; row++) {
    // Cells of one shade beside each other are one rectangle.
    for (let column = 0, end = 0; column < GRID.columns; column = end) {
      const band = bandOf(grid[row * GRID.columns + column] as number);
      for (end = column + 1; end < GRID.columns && bandOf(grid[row * GRID.columns + end] as number) === band;) end++;
      cells.push(
        <rect
          key={`${row} ${column}`}
          x={toX(column / GRID.columns)}
          y={toY((row + 1) / GRID.rows)}
          width={((end - column) / GRID.columns) * w + 0.5}
          height={h / GRID.rows + 0.5}
          fill={shade((band + 0.5) / BANDS)}
        />,
      );
    }
  }
  return <g className={styles.surface}>{cells}</g>;
}

function bandOf(z: number): number {
  return Math.min(Math.floor(z * BANDS), BANDS - 1);
}
