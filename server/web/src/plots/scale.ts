import { valueLabels } from "../charts/ticks";

export type Value = string | number | undefined;

/** Where values stand on an axis, from 0 to 1. */
export interface Scale {
  name: string;
  isLog: boolean;
  /** The texts of an axis that is not of numbers. */
  categories: string[] | null;
  /** NaN for what is missing, or no finite number. */
  at: (value: Value) => number;
  ticks: { at: number; label: string }[];
}

type Labels = (values: number[]) => string[];

/** Positive numbers that differ by more than this, half of them in the first tenth, are seen on a logarithmic axis. */
const LOG_RATIO_MIN = 100;
const CROWDED_PART = 0.1;
const TICKS = 5;
const CATEGORIES_LABELLED_MAX = 20;
const STEPS = [1, 2, 5, 10];

/** The scale of a column: of numbers when all of its values are some, else of texts in natural order. */
export function scaleOf(name: string, values: Value[], label?: (value: number) => string): Scale {
  const known = values.filter((value) => value !== undefined);
  const numbers = known.map(numberOf);
  if (known.length && numbers.some((value, place) => value === null && typeof known[place] === "string"))
    return categoryScale(name, known);
  const finite = numbers.filter((value) => value !== null && Number.isFinite(value)) as number[];
  const [low, high] = extremes(finite);
  const labels: Labels = label ? (shown) => shown.map((value) => label(value)) : valueLabels;
  return isBetterLog(finite, low, high) ? logScale(name, low, high, labels) : linearScale(name, low, high, labels);
}

function isBetterLog(finite: number[], low: number, high: number): boolean {
  if (!(low > 0) || high / low < LOG_RATIO_MIN) return false;
  const limit = low + (high - low) * CROWDED_PART;
  return finite.filter((value) => value <= limit).length * 2 >= finite.length;
}

/** A value as a number; null for a text that is none. */
export function numberOf(value: Value): number | null {
  if (value === undefined || (typeof value === "string" && !value.trim())) return null;
  const number = Number(value);
  return typeof value === "string" && Number.isNaN(number) && !/^[+-]?nan$/i.test(value.trim()) ? null : number;
}

/** Round values between two ends, about as many as asked for. */
export function roundTicks(low: number, high: number, wanted = TICKS): number[] {
  const rough = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * (STEPS.find((one) => one * power >= rough * 0.999) ?? 10);
  if (!(step > 0) || !Number.isFinite(step)) return [low];
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, place) => Number(((first + place) * step).toPrecision(12)));
}

function extremes(finite: number[]): [number, number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of finite) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high) return [0, 1];
  if (low < high) return [low, high];
  const half = Math.abs(low) * 0.05 || 0.5;
  return [low - half, high + half];
}

function linearScale(name: string, low: number, high: number, labels: Labels): Scale {
  // Halves: the distance of two doubles may be more than a double holds.
  const place = (value: number) => (value / 2 - low / 2) / (high / 2 - low / 2);
  const ticks = labelled(roundTicks(low, high), place, labels);
  return { name, isLog: false, categories: null, at: (value) => finite(numberOf(value), place), ticks };
}

function logScale(name: string, low: number, high: number, labels: Labels): Scale {
  const [from, to] = [Math.log10(low), Math.log10(high)];
  const place = (value: number) => (value > 0 ? (Math.log10(value) - from) / (to - from) : Number.NaN);
  const powers = roundTicks(Math.ceil(from), Math.floor(to), Math.min(TICKS, Math.floor(to) - Math.ceil(from) || 1));
  const ticks = labelled(
    powers.filter(Number.isInteger).map((power) => 10 ** power),
    place,
    labels,
  );
  return { name, isLog: true, categories: null, at: (value) => finite(numberOf(value), place), ticks };
}

/** Ticks at values with their labels. */
export function labelled(values: number[], place: (value: number) => number, labels: Labels = valueLabels) {
  const texts = labels(values);
  return values.map((value, number) => ({ at: place(value), label: texts[number] ?? "" }));
}

function categoryScale(name: string, known: (string | number)[]): Scale {
  const order = new Intl.Collator("en", { numeric: true }).compare;
  const categories = [...new Set(known.map(String))].sort(order);
  const places = new Map(categories.map((text, place) => [text, (place + 0.5) / categories.length]));
  const every = Math.ceil(categories.length / CATEGORIES_LABELLED_MAX);
  const ticks = categories
    .map((text, place) => ({ at: (place + 0.5) / categories.length, label: text }))
    .filter((_, place) => place % every === 0);
  const at = (value: Value) => (value === undefined ? Number.NaN : (places.get(String(value)) ?? Number.NaN));
  return { name, isLog: false, categories, at, ticks };
}

function finite(value: number | null, place: (value: number) => number): number {
  return value === null || !Number.isFinite(value) ? Number.NaN : place(value);
}
