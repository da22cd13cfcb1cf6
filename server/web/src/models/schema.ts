/** One input, output or param of a model. */
export interface Column {
  /** Empty when the column has no name. */
  name: string;
  /** For people: double, array<long>, {a: string}, tensor float32 (-1, 3). */
  type: string;
  isRequired: boolean;
  /** Of a param: what it is when nobody says so. */
  fallback?: string;
}

/** A part of what a data set looks like. */
export interface Part {
  title: string;
  columns: Column[];
}

/** Read the schema of a data set: of a table, or of arrays (features and targets); null when it is in another form. */
export function readDatasetSchema(text: string): Part[] | null {
  try {
    const whole = record(JSON.parse(text));
    const arrays = record(whole.mlflow_tensorspec);
    const parts = [
      { title: "Columns", columns: columns(whole.mlflow_colspec) },
      { title: "Features", columns: columns(arrays.features) },
      { title: "Targets", columns: columns(arrays.targets) },
    ].filter((part) => part.columns.length > 0);
    return parts.length > 0 ? parts : null;
  } catch {
    return null;
  }
}

/** The columns of a schema: JSON, or JSON within JSON; none when it is null. Throws when it is neither. */
export function columns(json: unknown): Column[] {
  const found: unknown = typeof json === "string" ? JSON.parse(json) : (json ?? []);
  return (Array.isArray(found) ? found : []).map(record).map((given) => ({
    name: given.name === undefined || given.name === null ? "" : text(given.name),
    type: typeOf(given),
    isRequired: given.required !== false && !("default" in given),
    ...("default" in given ? { fallback: JSON.stringify(given.default) } : {}),
  }));
}

function typeOf(given: Record<string, unknown>): string {
  const type = text(given.type ?? given.dtype ?? "any");
  switch (type) {
    case "tensor": {
      const { dtype, shape } = record(given["tensor-spec"]);
      return `tensor ${text(dtype)} (${Array.isArray(shape) ? shape.map(text).join(", ") : ""})`;
    }
    case "array":
      return `array<${typeOf(record(given.items))}>`;
    case "map":
      return `map<string, ${typeOf(record(given.values))}>`;
    case "object": {
      const fields = Object.entries(record(given.properties)).map(([name, value]) => {
        const field = record(value);
        return `${name}${field.required === false ? "?" : ""}: ${typeOf(field)}`;
      });
      return `{${fields.join(", ")}}`;
    }
    default:
      return Array.isArray(given.shape) ? `list of ${type}` : type;
  }
}

export function record(given: unknown): Record<string, unknown> {
  return given && typeof given === "object" && !Array.isArray(given) ? (given as Record<string, unknown>) : {};
}

function text(given: unknown): string {
  return typeof given === "string" ? given : JSON.stringify(given);
}
