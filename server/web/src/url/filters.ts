/** What the search field of the experiments means in the grammar of searches. */
export function experimentFilter(text: string): string {
  const wanted = text.trim();
  if (!wanted) return "";
  if (/[=<>]|\b(like|ilike|in|is|between|rlike|regexp)\b/i.test(wanted)) return wanted;
  return `name ILIKE '%${wanted.replaceAll("'", "''")}%'`;
}
