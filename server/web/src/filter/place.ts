/** Where in a filter the caret is: what may be written there, and what of it is written already. */
export interface Place {
  expects: "field" | "operator" | "value" | "null" | "join" | "and" | "nothing";
  /** What stands between here and the caret is begun, and replaced by what is chosen. */
  from: number;
  typed: string;
  /** The field that is compared, as it is written; with a function around it. */
  field: string;
  /** The function whose bracket is open. */
  inside: string;
}

type Kind = "field" | "function" | "text" | "number" | "word" | "sign" | "open" | "close" | "comma";

interface Token {
  kind: Kind;
  text: string;
  start: number;
}

const PATTERNS: [Kind, RegExp][] = [
  [
    "field",
    /(?:metrics?|param(?:eter)?s?|tags?|attributes?|attr|run|datasets?)\.(?:`[^`]*`?|"[^"]*"?|[\w./:-]*)|`[^`]*`?/iy,
  ],
  ["function", /(?!(?:not|in|and|or)\b)[a-z_]\w*(?=\s*\()/iy],
  ["text", /'(?:[^']|'')*'?|"(?:[^"]|"")*"?/y],
  ["number", /[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d*)?/iy],
  ["word", /[^\W\d]\w*/iy],
  ["sign", /==?|!=?|<>|<=?|>=?/y],
  ["open", /\(/y],
  ["close", /\)/y],
  ["comma", /,/y],
];
const PATTERN_WORDS = ["like", "ilike", "regexp", "rlike"];

/** Read a filter up to the caret; what cannot be read is passed over, since it is being written. */
export function placeAt(filter: string, caret: number): Place {
  const tokens = tokensOf(filter.slice(0, caret));
  const last = tokens.at(-1);
  const isBegun = last !== undefined && last.start + last.text.length === caret && mayGoOn(last);
  const reader = new Reader();
  for (const token of isBegun ? tokens.slice(0, -1) : tokens) reader.take(token);
  const from = isBegun ? last.start : caret;
  const touches = last !== undefined && !isBegun && last.start + last.text.length === caret;
  // Right behind a finished text or key nothing is offered before there is a space.
  const isDone = touches && ["field", "text"].includes(last.kind);
  return {
    expects: isDone ? "nothing" : reader.expects,
    from,
    typed: filter.slice(from, caret),
    field: reader.field,
    inside: reader.inside,
  };
}

class Reader {
  expects: Place["expects"] = "field";
  field = "";
  inside = "";
  private isList = false;
  private isBetween = false;
  private beforeList = false;

  take({ kind, text }: Token): void {
    if (kind === "open") return this.open();
    if (kind === "close") return this.close();
    if (kind === "function") this.inside = text.toLowerCase();
    else if (kind === "comma" || kind === "sign") this.expects = "value";
    else if (kind === "word") this.word(text);
    else if (this.expects === "field") this.named(text);
    else this.valued();
  }

  private open(): void {
    if (this.beforeList) {
      this.isList = true;
      this.beforeList = false;
      this.expects = "value";
    } else this.expects = "field";
  }

  private close(): void {
    if (this.isList) {
      this.isList = false;
      this.expects = "join";
    } else if (this.inside) {
      this.field = `${this.inside}(${this.field})`;
      this.inside = "";
      this.expects = "operator";
    } else this.expects = "join";
  }

  private named(text: string): void {
    this.field = text;
    this.expects = this.inside ? "nothing" : "operator";
  }

  private valued(): void {
    this.expects = this.isList ? "nothing" : this.isBetween ? "and" : "join";
  }

  private word(text: string): void {
    const word = text.toLowerCase();
    if (word === "and" && this.isBetween) {
      this.isBetween = false;
      this.expects = "value";
    } else if (word === "and" || word === "or") this.expects = "field";
    else if (word === "not") this.expects = this.expects === "null" ? "null" : this.expects;
    else if (word === "in") this.beforeList = true;
    else if (word === "is") this.expects = "null";
    else if (word === "null") this.expects = "join";
    else if (word === "between") {
      this.isBetween = true;
      this.expects = "value";
    } else if (PATTERN_WORDS.includes(word)) this.expects = "value";
    else if (this.expects === "field") this.named(text);
    else this.valued();
  }
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < text.length;) {
    const found = PATTERNS.map(([kind, pattern]) => {
      pattern.lastIndex = at;
      return { kind, text: pattern.exec(text)?.[0] ?? "" };
    }).find((one) => one.text !== "");
    if (found) tokens.push({ ...found, start: at });
    at += found?.text.length ?? 1;
  }
  return tokens;
}

/** Whether a token that ends at the caret may still become longer. */
function mayGoOn({ kind, text }: Token): boolean {
  if (kind === "word" || kind === "number" || kind === "function") return true;
  if (kind === "field") return !/[`"][^`"]*[`"]$/.test(text);
  return kind === "text" && (text.length === 1 || text.at(-1) !== text[0] || /^(''|"")$/.test(text.slice(1)));
}
