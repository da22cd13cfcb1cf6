import { counted } from "../../format/numbers";
import { ConsoleStream } from "../../gen/stepwell_api/v1/ingest_pb";
import type { ConsolePiece } from "../../gen/stepwell_api/v1/writers_pb";
import { plain } from "../../format/ansi";

export interface ConsoleLine {
  id: string;
  text: string;
  isError: boolean;
  timeMs: number;
  rank: number | undefined;
  /** It says that lines are missing. */
  isNote: boolean;
}

/** The lines of pieces in order; those that hold a text, when one is given, ignoring case. */
export function linesOf(pieces: ConsolePiece[], wanted: string): ConsoleLine[] {
  const sought = wanted.toLowerCase();
  const found: ConsoleLine[] = [];
  for (const { place, rank, lines } of pieces) {
    if (!place || !lines) continue;
    const id = `${place.writerId} ${place.position}`;
    const common = { isError: lines.stream === ConsoleStream.ERROR, timeMs: Number(lines.timestampMs), rank };
    if (lines.leftOut > 0n && !sought) {
      const text = `${counted(lines.leftOut, "line")} too many, and left out`;
      found.push({ ...common, id: `${id} note`, text, isNote: true });
    }
    if (!lines.text && lines.leftOut > 0n) continue;
    for (const [number, text] of lines.text.split("\n").entries()) {
      if (sought && !plain(text).toLowerCase().includes(sought)) continue;
      found.push({ ...common, id: `${id} ${number}`, text, isNote: false });
    }
  }
  return found;
}
