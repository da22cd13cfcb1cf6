const KEY = "stepwell.author";
export const NAME_CHARS_MAX = 256;

/** Who changes something on this page: nobody proves who they are, so it is what they said last in this browser. */
export function authorName(): string {
  return localStorage.getItem(KEY) ?? "";
}

export function rememberAuthor(name: string): void {
  localStorage.setItem(KEY, name.trim().slice(0, NAME_CHARS_MAX));
}

export function author(comment = ""): { user: string; comment: string } {
  return { user: authorName(), comment: comment.trim() };
}
