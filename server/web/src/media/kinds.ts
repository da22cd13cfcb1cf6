/** How a file is shown. */
export type Kind =
  "image" | "audio" | "video" | "html" | "pdf" | "markdown" | "table" | "parquet" | "json" | "text" | "none";

const SUFFIXES: Record<Exclude<Kind, "none">, string> = {
  image: "png jpg jpeg gif bmp webp svg avif ico",
  audio: "wav mp3 ogg oga flac m4a aac opus",
  video: "mp4 webm mov ogv m4v",
  html: "html htm",
  pdf: "pdf",
  markdown: "md markdown",
  table: "csv tsv",
  parquet: "parquet",
  json: "json geojson ipynb",
  text:
    "txt log cfg conf ini toml yaml yml xml py pyi js ts tsx jsx css sh bash sql r java c h cc cpp hpp cu go rs rb " +
    "scala kt swift lua jl m tex rst diff patch env properties jsonl ndjson gitignore dockerfile makefile",
};

const KINDS = new Map(
  Object.entries(SUFFIXES).flatMap(([kind, list]) => list.split(" ").map((suffix) => [suffix, kind as Kind] as const)),
);
const TEXT_NAMES = new Set(["mlmodel", "makefile", "dockerfile", "license", "readme", "mlproject"]);

/** How a file is shown, by its name; "none" where only a download will do. */
export function kindOf(path: string): Kind {
  const name = path.slice(path.lastIndexOf("/") + 1).toLowerCase();
  if (TEXT_NAMES.has(name)) return "text";
  const dot = name.lastIndexOf(".");
  return (dot >= 0 && KINDS.get(name.slice(dot + 1))) || "none";
}

/** A language that highlighting knows, for a file of source code; undefined for plain text. */
export function languageOf(path: string): string | undefined {
  const suffix = path.slice(path.lastIndexOf(".") + 1).toLowerCase();
  const others: Record<string, string> = {
    py: "python",
    pyi: "python",
    yml: "yaml",
    ts: "typescript",
    tsx: "typescript",
    js: "javascript",
    jsx: "javascript",
    sh: "bash",
    rs: "rust",
    rb: "ruby",
    kt: "kotlin",
    h: "c",
    cc: "cpp",
    hpp: "cpp",
    cu: "cpp",
    toml: "ini",
    cfg: "ini",
    ipynb: "json",
    geojson: "json",
    patch: "diff",
    md: "markdown",
  };
  const known = "yaml json xml css sql r java c cpp go scala swift lua ini diff bash python";
  const language = others[suffix] ?? suffix;
  if (path.endsWith("MLmodel") || path.endsWith("MLproject")) return "yaml";
  return known.split(" ").includes(language) || others[suffix] ? language : undefined;
}
