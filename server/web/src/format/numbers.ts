/**
 * A number with the digits that matter: all of those before the point where there is room for so many, separators being
 * half as wide; behind it as many as make `digits` significant ones; exponents for what is larger or smaller.
 */
export function shortNumber(value: number, digits = 4, room = Number.POSITIVE_INFINITY): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "-∞";
  if (value === 0) return "0";
  const size = Math.abs(value);
  const whole = size >= 10 ** digits ? Math.round(value) : value;
  if (Number.isSafeInteger(whole)) {
    const text = whole.toLocaleString("en-US");
    if (size < 1e7 || text.length - (text.split(",").length - 1) / 2 <= room) return text;
  }
  if (size >= 1e7 || size < 1e-4) return tidyExponent(value.toExponential(digits - 1));
  const rounded = Number(value.toPrecision(digits));
  return size >= 1000 ? rounded.toLocaleString("en-US") : String(rounded);
}

/** A number with all its digits. */
export function fullNumber(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "Infinity" : "-Infinity";
  return String(value);
}

/** A whole number of any size, exactly, with separators. */
export function wholeNumber(value: bigint | number): string {
  return value.toLocaleString("en-US");
}

/** How many there are of something whose word takes an s: "1 run", "1,200 runs". */
export function counted(count: bigint | number, one: string): string {
  return `${wholeNumber(count)} ${count == 1 ? one : `${one}s`}`;
}

/** A size in bytes, in powers of 1,024. */
export function bytes(count: bigint | number): string {
  let size = Number(count);
  if (size < 1024) return `${size} B`;
  for (const unit of ["KiB", "MiB", "GiB", "TiB"]) {
    size /= 1024;
    if (size < 1024 || unit === "TiB") return `${size < 10 ? size.toFixed(1) : Math.round(size)} ${unit}`;
  }
  throw new Error("unreachable");
}

function tidyExponent(text: string): string {
  const [mantissa, exponent] = text.split("e");
  return `${Number(mantissa)}e${exponent?.replace("+", "")}`;
}
