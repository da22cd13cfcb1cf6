import type { Bounds } from "../queries/samples";
import { whole } from "../url/search";
import { metricOf, type Axis } from "./ticks";

/** A part of x as an address has it, with the axis that it is a part of. */
export type Zoom = [axis: string, from: string, to: string];

export function zoomOf(axis: Axis, { from, to }: Bounds): Zoom {
  return [axis, String(from), String(to)];
}

/** The bounds of a zoom; null where there are none, or they are of another axis. */
export function boundsOf(zoom: Zoom | undefined, axis: Axis): Bounds | null {
  if (!zoom || zoom[0] !== axis) return null;
  const read: (given: string) => bigint | number | undefined = metricOf(axis) === null ? whole : finite;
  const [from, to] = [read(zoom[1]), read(zoom[2])];
  return from === undefined || to === undefined ? null : { from, to };
}

function finite(given: string): number | undefined {
  const value = Number(given);
  return Number.isFinite(value) ? value : undefined;
}
