/** How a condition begins: a field of experiments, and what it is compared by. */
const CONDITION =
  /^(?:not\b|\(|\s)*(?:tags?\.|(?:attributes?|attr)\.|name\b|experiment_id\b|\w+_time\b|artifact_location\b|lifecycle_stage\b).*(?:[=<>]|\b(?:i?like|in|is|between|rlike|regexp)\b)/is;

/** What the search field of the experiments means in the grammar of searches. */
export function experimentFilter(text: string): string {
  const wanted = text.trim();
  if (!wanted) return "";
  if (CONDITION.test(wanted)) return wanted;
  return `name ILIKE '%${wanted.replaceAll("'", "''")}%'`;
}
