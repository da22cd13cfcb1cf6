/** Readers of what stands in the address after "?": anything may stand there, so each gives a value or nothing. */

export function text(given: unknown): string | undefined {
  return typeof given === "string" && given ? given : typeof given === "number" ? String(given) : undefined;
}

export function flag(given: unknown): true | undefined {
  return given === true || given === "true" ? true : undefined;
}

export function texts(given: unknown): string[] | undefined {
  const list = Array.isArray(given) ? given.map(text).filter((one) => one !== undefined) : [];
  return list.length ? list : undefined;
}

/** A number of experiment or step from an address; 64 bits, so never by way of a double. */
export function whole(given: string): bigint | undefined {
  return /^-?\d{1,19}$/.test(given) ? BigInt(given) : undefined;
}

export function oneOf<T extends string>(given: unknown, known: readonly T[]): T | undefined {
  return known.find((one) => one === given);
}

/** Numbers of experiments from an address: "3", or several with commas between them, each once. */
export function wholes(given: string): bigint[] | undefined {
  const numbers = given.split(",").map(whole);
  return numbers.includes(undefined) ? undefined : [...new Set(numbers as bigint[])];
}
