import { gunzipSync } from "fflate";
import { decompress } from "fzstd";
import { parquetMetadataAsync, parquetReadObjects, type AsyncBuffer, type FileMetaData } from "hyparquet";

import { artifactUrl } from "../queries/artifacts";
import type { Table } from "./tables";

export const ROWS_SHOWN = 200;
/** Beside Snappy, which the library knows. None of them is WebAssembly, which the page's policy refuses. */
const compressors = {
  GZIP: (packed: Uint8Array) => gunzipSync(packed),
  ZSTD: (packed: Uint8Array, size: number) => decompress(packed, new Uint8Array(size)),
};
/** Columns that are shown, at most; the rest is a download away. */
const COLUMNS_MAX = 200;
/** What has to be fetched for some rows, at most: row groups come whole. */
const FETCHED_BYTES_MAX = 64 * 1024 * 1024;

export interface ParquetFile {
  buffer: AsyncBuffer;
  metadata: FileMetaData;
  rowCount: number;
  columns: string[];
}

/** Read what is at the end of a file: its columns, and where its rows are. */
export async function openParquet(runId: string, path: string, signal: AbortSignal): Promise<ParquetFile> {
  const url = artifactUrl(runId, path);
  const answer = await fetch(url, { signal, headers: { range: "bytes=0-3" } });
  const size = Number(answer.headers.get("content-range")?.split("/")[1] ?? Number.NaN);
  if (answer.status !== 206 || !Number.isFinite(size)) throw new Error(`The server answers ${answer.status}.`);
  const buffer = { byteLength: size, slice: (start: number, end = size) => part(url, start, end) };
  const metadata = await parquetMetadataAsync(buffer);
  const columns = metadata.schema[0]?.num_children ? topLevel(metadata).slice(0, COLUMNS_MAX) : [];
  return { buffer, metadata, rowCount: Number(metadata.num_rows), columns };
}

/** Read some rows. */
export async function readRows(file: ParquetFile, first: number): Promise<Table> {
  const end = Math.min(first + ROWS_SHOWN, file.rowCount);
  checkSize(file, first, end);
  const rows = await parquetReadObjects({
    file: file.buffer,
    metadata: file.metadata,
    columns: file.columns,
    rowStart: first,
    rowEnd: end,
    compressors,
  });
  return { columns: file.columns, rows: rows.map((row) => file.columns.map((name) => shown(row[name]))) };
}

function checkSize({ metadata }: ParquetFile, first: number, end: number): void {
  let [at, bytes] = [0, 0];
  for (const group of metadata.row_groups) {
    const count = Number(group.num_rows);
    if (at < end && at + count > first)
      bytes += group.columns.reduce((sum, { meta_data }) => sum + Number(meta_data?.total_compressed_size ?? 0), 0);
    at += count;
  }
  if (bytes > FETCHED_BYTES_MAX)
    throw new Error(
      `These rows lie in groups of ${Math.round(bytes / 2 ** 20)} MiB: download the file to look at them.`,
    );
}

function topLevel({ schema }: FileMetaData): string[] {
  const names: string[] = [];
  for (let place = 1; place < schema.length; place = behind(schema, place)) names.push(schema[place]?.name ?? "");
  return names;
}

/** Where the element behind one and all that are inside of it is. */
function behind(schema: FileMetaData["schema"], place: number): number {
  let next = place + 1;
  for (let inside = schema[place]?.num_children ?? 0; inside > 0; inside--) next = behind(schema, next);
  return next;
}

async function part(url: string, start: number, end: number): Promise<ArrayBuffer> {
  const answer = await fetch(url, { headers: { range: `bytes=${start}-${end - 1}` } });
  if (!answer.ok) throw new Error(`The server answers ${answer.status}.`);
  return answer.arrayBuffer();
}

/** Values as JSON can say them. */
function shown(value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (Array.isArray(value)) return value.map(shown);
  if (value && typeof value === "object")
    return Object.fromEntries(Object.entries(value).map(([key, inside]) => [key, shown(inside)]));
  return value;
}
