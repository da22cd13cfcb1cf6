/** A table as it is shown: rows of texts. */
export interface Table {
  columns: string[];
  rows: unknown[][];
}

/** The table that log_table writes as JSON, {"columns": […], "data": [[…]]}; null for other JSON. */
export function loggedTable(text: string): Table | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (!value || typeof value !== "object") return null;
  const { columns, data } = value as Record<string, unknown>;
  if (!Array.isArray(columns) || !Array.isArray(data) || !data.every(Array.isArray)) return null;
  return { columns: columns.map(String), rows: data as unknown[][] };
}

/** The path of the picture that a cell of a logged table refers to; null for other cells. */
export function pictureOf(cell: unknown): string | null {
  if (!cell || typeof cell !== "object") return null;
  const { type, filepath } = cell as Record<string, unknown>;
  return type === "image" && typeof filepath === "string" ? filepath : null;
}

export function cellText(cell: unknown): string {
  if (cell === null || cell === undefined) return "";
  return typeof cell === "object" ? JSON.stringify(cell) : String(cell);
}
