/** How a condition begins: a field of experiments, and what it is compared by. */
const CONDITION =
  /^(?:not\b|\(|\s)*(?:tags?\.|(?:attributes?|attr)\.|name\b|experiment_id\b|\w+_time(?:stamp)?\b|artifact_location\b|lifecycle_stage\b).*(?:[=<>]|\b(?:i?like|in|is|between|rlike|regexp)\b)/is;

/** What the search field of experiments or registered models means in the grammar of searches. */
export function nameFilter(text: string): string {
  const wanted = text.trim();
  if (!wanted) return "";
  if (CONDITION.test(wanted)) return wanted;
  return nameLike(wanted);
}

/** What finds those with a text in their name. */
export function nameLike(text: string): string {
  return `name ILIKE '%${text.replaceAll("'", "''")}%'`;
}
