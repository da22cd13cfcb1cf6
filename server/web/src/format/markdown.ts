/** The first line of a Markdown text that says something, as plain text: without the marks of headings, stress and links. */
export function firstLine(markdown: string): string {
  const line = markdown.split("\n").find((one) => /\w/u.test(one)) ?? markdown;
  return line
    .replace(/^\s*(#{1,6}|[-*+>]|\d+\.)\s+/, "")
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/(\*\*|__|~~|`)(.+?)\1/g, "$2")
    .replace(/(^|\W)([*_])(\S.*?)\2(?=\W|$)/g, "$1$3")
    .trim();
}
