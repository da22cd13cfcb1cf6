/** A text as Python writes it; JSON's escapes are Python's, too. */
export function pythonText(text: string): string {
  return JSON.stringify(text);
}

export function shellText(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
