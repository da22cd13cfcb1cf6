import { ago, iso, moment } from "../format/times";

/** A moment, as how long ago it was or in the reader's zone; hovering shows it in ISO 8601. */
export function Time({ ms, relative = true }: { ms: bigint | number; relative?: boolean }) {
  const time = Number(ms);
  if (!time) return <>-</>;
  return (
    <time dateTime={iso(time)} title={iso(time)}>
      {relative ? ago(time) : moment(time)}
    </time>
  );
}
