import { sideBySide, type Beside } from "../compare/rows";
import type { KnownVersion } from "../queries/comparedVersions";
import { latestOf } from "./measured";
import type { Schema } from "./modelFile";
import type { Column } from "./schema";

export interface Group {
  title: string;
  rows: Beside<string | number>[];
}

const PARTS: [keyof Schema, string][] = [
  ["inputs", "Inputs"],
  ["outputs", "Outputs"],
  ["params", "Params of a prediction"],
];

/** Params, metrics and schema of versions side by side. */
export function comparedVersions(known: Pick<KnownVersion, "model" | "file">[]): Group[] {
  return [
    {
      title: "Params",
      rows: sideBySide(known.map(({ model }) => new Map(model?.params.map(({ key, value }) => [key, value])))),
    },
    {
      title: "Metrics",
      rows: sideBySide(
        known.map(({ model }) => new Map(model?.metrics.map(({ key }) => [key, latestOf(model, key) ?? NaN]))),
      ),
    },
    ...PARTS.map(([part, title]) => ({
      title,
      rows: sideBySide(known.map(({ file }) => new Map((file?.schema?.[part] ?? []).map(described)))),
    })),
  ];
}

/** Columns without names are known by their place. */
function described(column: Column, place: number): [string, string] {
  const fallback = column.fallback === undefined ? "" : `, else ${column.fallback}`;
  return [column.name || `${place + 1}`, `${column.type}${column.isRequired ? "" : " optional"}${fallback}`];
}
