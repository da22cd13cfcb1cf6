/** A part of a line with the colour that an escape code gave it. */
export interface Painted {
  text: string;
  /** A colour of the terminal, from 0 (black) to 7 (white); null for none. */
  color: number | null;
  bold: boolean;
}

// Escape sequences of terminals (ECMA-48): those that end in "m" set colours; titles and links end with BEL or ESC \.
const SEQUENCE = /\u001b(?:\[([\d;:?]*)([@-~])|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\^_])/g;
// What has no picture, and what turns the direction of reading around, so that a line looks like another.
// eslint-disable-next-line no-control-regex
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** A line of a console as parts with colours; every other escape code is left out. */
export function painted(line: string): Painted[] {
  const parts: Painted[] = [];
  let [color, bold, at] = [null as number | null, false, 0];
  const add = (text: string) => {
    const seen = text.replace(UNSEEN, "");
    if (seen) parts.push({ text: seen, color, bold });
  };
  for (const found of line.matchAll(SEQUENCE)) {
    add(line.slice(at, found.index));
    at = found.index + found[0].length;
    if (found[2] === "m") [color, bold] = changed(found[1] ?? "", color, bold);
  }
  add(line.slice(at));
  return parts;
}

/** A line without its escape codes. */
export function plain(line: string): string {
  return painted(line)
    .map(({ text }) => text)
    .join("");
}

function changed(codes: string, color: number | null, bold: boolean): [number | null, boolean] {
  const numbers = codes.split(/[;:]/).map(Number);
  for (let place = 0; place < numbers.length; place++) {
    const code = numbers[place] as number;
    if (code === 0) [color, bold] = [null, false];
    else if (code === 1) bold = true;
    else if (code === 22) bold = false;
    else if (code === 39) color = null;
    else if (code >= 30 && code <= 37) color = code - 30;
    else if (code >= 90 && code <= 97) color = code - 90;
    // Of 256 colours and of 24 bits nothing is shown, but their numbers are no codes.
    else if (code === 38 || code === 48) place += numbers[place + 1] === 2 ? 4 : 2;
  }
  return [color, bold];
}
