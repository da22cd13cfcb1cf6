import { parse } from "yaml";

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

export interface Schema {
  inputs: Column[];
  outputs: Column[];
  params: Column[];
}

/** What the file MLmodel says of a model. */
export interface ModelFile {
  /** Ways to load it, the generic one (python_function) last. */
  flavors: string[];
  /** Null when the model has no signature. */
  schema: Schema | null;
  bytes: number | null;
}

export const GENERIC_FLAVOR = "python_function";

/** Read MLmodel, which is YAML; the parts of the signature are JSON in it. Throws when it is neither. */
export function readModelFile(text: string): ModelFile {
  const whole = record(parse(text));
  const signature = whole.signature ? record(whole.signature) : null;
  const flavors = Object.keys(record(whole.flavors));
  return {
    flavors: [...flavors.filter((one) => one !== GENERIC_FLAVOR), ...flavors.filter((one) => one === GENERIC_FLAVOR)],
    schema: signature && {
      inputs: columns(signature.inputs),
      outputs: columns(signature.outputs),
      params: columns(signature.params),
    },
    bytes: typeof whole.model_size_bytes === "number" ? whole.model_size_bytes : null,
  };
}

function columns(json: unknown): Column[] {
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

function record(given: unknown): Record<string, unknown> {
  return given && typeof given === "object" && !Array.isArray(given) ? (given as Record<string, unknown>) : {};
}

function text(given: unknown): string {
  return typeof given === "string" ? given : JSON.stringify(given);
}
