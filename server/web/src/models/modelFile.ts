import { parse } from "yaml";

import { type Column, columns, record } from "./schema";

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
