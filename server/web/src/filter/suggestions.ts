import { counted } from "../format/numbers";
import { keyId, type KeyKind } from "../table/columns";
import type { Keys } from "../queries/keys";
import type { Place } from "./place";

export interface Suggestion {
  /** What is written in the place of what was begun. */
  insert: string;
  label: string;
  detail: string;
}

const SHOWN_MAX = 60;
const NUMBERS = ["start_time", "end_time", "experiment_id"];
const TEXTS = ["run_name", "status", "user_id", "run_id", "lifecycle_stage", "artifact_uri"];
const DATASETS = ["datasets.name", "datasets.digest", "datasets.context"];
const FUNCTIONS: [name: string, what: string][] = [
  ["min", "least of all points"],
  ["max", "greatest of all points"],
  ["mean", "mean of all points"],
  ["count", "number of points"],
  ["number", "a param or tag as a number"],
];
const NUMBER_SIGNS = ["<", ">", "<=", ">=", "=", "!=", "BETWEEN", "IS NULL", "IS NOT NULL"];
const TEXT_SIGNS = ["=", "!=", "LIKE", "ILIKE", "REGEXP", "IN (", "IS NULL", "IS NOT NULL"];
const STATUSES = ["RUNNING", "FINISHED", "FAILED", "KILLED", "SCHEDULED"];

/** What may stand at a place, those that begin as it is begun first. Values of fields come from the server. */
export function suggestions(
  place: Place,
  keys: Keys,
  values: readonly { value: string; runs: bigint }[],
): Suggestion[] {
  switch (place.expects) {
    case "field":
      return best(place.typed, fields(place.inside, keys));
    case "operator":
      return words(isNumber(place.field) ? NUMBER_SIGNS : TEXT_SIGNS, place.typed);
    case "value":
      return valuesOf(place, values);
    case "null":
      return words(["NULL", "NOT NULL"], place.typed);
    case "and":
      return words(["AND"], place.typed);
    case "join":
      return words(["AND", "OR"], place.typed);
    default:
      return [];
  }
}

/** The field whose values the server knows, for a place; nothing where it is none, or a number. */
export function fieldOfValues(place: Place): string | null {
  if (place.expects !== "value" || !place.field || isNumber(place.field)) return null;
  return ["status", "run_id", "lifecycle_stage"].includes(place.field.toLowerCase()) ? null : place.field;
}

/** What of a value is written already, without quotes. */
export function textOf(typed: string): string {
  return typed.replace(/^['"]|['"]$/g, "");
}

function fields(inside: string, keys: Keys): Suggestion[] {
  const close = inside ? ") " : " ";
  const of = (kind: KeyKind, what: string) =>
    keys[kind].map((key) => ({ insert: keyId(kind, key) + close, label: keyId(kind, key), detail: what }));
  if (inside === "number") return [...of("params", "param"), ...of("tags", "tag")];
  if (inside) return of("metrics", "metric");
  return [
    ...[...TEXTS, ...NUMBERS].map((name) => ({ insert: `${name} `, label: name, detail: "run" })),
    ...of("metrics", "metric"),
    ...of("params", "param"),
    ...of("tags", "tag"),
    ...DATASETS.map((name) => ({ insert: `${name} `, label: name, detail: "data set" })),
    ...FUNCTIONS.map(([name, what]) => ({ insert: `${name}(`, label: `${name}(…)`, detail: what })),
  ];
}

function valuesOf(place: Place, values: readonly { value: string; runs: bigint }[]): Suggestion[] {
  if (place.field.toLowerCase() === "status") {
    return best(
      textOf(place.typed),
      STATUSES.map((word) => ({ insert: `${quoted(word)} `, label: word, detail: "" })),
    );
  }
  if (fieldOfValues(place) === null) return [];
  return values.map(({ value, runs }) => ({
    insert: `${quoted(value)} `,
    label: value,
    detail: counted(runs, "run"),
  }));
}

/** A text as a filter has it. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function words(all: string[], typed: string): Suggestion[] {
  const found = all.filter((word) => word.toLowerCase().startsWith(typed.toLowerCase()));
  return found.map((word) => ({ insert: word.endsWith("(") ? word : `${word} `, label: word, detail: "" }));
}

function best(typed: string, all: Suggestion[]): Suggestion[] {
  const wanted = typed.toLowerCase().replaceAll(/[`"]/g, "");
  const rank = ({ label }: Suggestion) => {
    const name = label.toLowerCase().replaceAll(/[`"]/g, "");
    const key = name.slice(name.indexOf(".") + 1);
    const [kind, part] = wanted.includes(".") ? [wanted.slice(0, wanted.indexOf(".") + 1), wanted] : ["", ""];
    if (kind && !name.startsWith(wanted)) return name.startsWith(kind) && key.includes(part.slice(kind.length)) ? 2 : 3;
    return name === wanted || name.startsWith(wanted) ? 0 : key.startsWith(wanted) ? 1 : name.includes(wanted) ? 2 : 3;
  };
  const ranked = all.map((one) => [rank(one), one] as const).filter(([at]) => at < 3);
  return ranked
    .sort(([a], [b]) => a - b)
    .slice(0, SHOWN_MAX)
    .map(([, one]) => one);
}

function isNumber(field: string): boolean {
  return /^(metrics?\.|(min|max|mean|last|count|number)\()/i.test(field) || NUMBERS.includes(field.toLowerCase());
}
