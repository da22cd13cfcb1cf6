import { bytes, shortNumber, wholeNumber } from "../../format/numbers";
import { growth, quantileBetween } from "../../format/prometheus";
import type { Look } from "../../queries/figures";

/** One thing that tells how the server is. */
export interface Fact {
  name: string;
  value: string;
  hint: string;
  isBad: boolean;
  /** How it was, look by look, for a small line; empty where that says nothing. */
  past: number[];
}

/** As the server's QUEUE_BYTES_MAX: batches that wait for their commit. */
const QUEUE_BYTES_MAX = 64 * 1024 * 1024;
const LAG_BAD_S = 1;
const DEBT_BAD_CHUNKS = 10_000;
/** Rates are over so many looks. */
const RATE_LOOKS = 5;

/** What a person wants to know of the server, from its figures. */
export function healthOf(looks: Look[]): Fact[] {
  const now = looks.at(-1);
  const before = looks.at(-1 - RATE_LOOKS) ?? looks[0];
  if (!now || !before) return [];
  const figure = (name: string) => now.figures.sums.get(name) ?? 0;
  const lag = quantileBetween(before.figures, now.figures, "stepwell_commit_lag_seconds", 0.99);
  const queue = figure("stepwell_queue_bytes");
  const debt = figure("stepwell_compaction_debt_chunks");
  const failed = growth(before.figures, now.figures, "stepwell_commits_failed_total");
  return [
    {
      name: "Points per second",
      value: shortNumber(rate(looks, looks.length - 1, "stepwell_points_committed_total"), 3),
      hint: `${wholeNumber(figure("stepwell_points_committed_total"))} since the server began`,
      isBad: false,
      past: looks.map((_, place) => rate(looks, place, "stepwell_points_committed_total")),
    },
    {
      name: "Commit lag, 99 of 100",
      value: lag === null ? "–" : Number.isFinite(lag) ? `≤ ${shortNumber(lag * 1000, 3)} ms` : "more than 60 s",
      hint: "from the arrival of a batch to its commit",
      isBad: (lag ?? 0) > LAG_BAD_S,
      past: [],
    },
    {
      name: "Queue",
      value: bytes(queue),
      hint: `${wholeNumber(figure("stepwell_queue_batches"))} batches wait; at ${bytes(QUEUE_BYTES_MAX)} clients wait, too`,
      isBad: queue > QUEUE_BYTES_MAX / 2,
      past: looks.map(({ figures }) => figures.sums.get("stepwell_queue_bytes") ?? 0),
    },
    {
      name: "Writers connected",
      value: wholeNumber(figure("stepwell_streams_open")),
      hint: "processes that log to runs now",
      isBad: false,
      past: looks.map(({ figures }) => figures.sums.get("stepwell_streams_open") ?? 0),
    },
    {
      name: "Compaction",
      value: debt ? `${wholeNumber(debt)} chunks behind` : "up to date",
      hint: `${wholeNumber(figure("stepwell_compaction_chunks_total"))} small chunks merged`,
      isBad: debt > DEBT_BAD_CHUNKS,
      past: looks.map(({ figures }) => figures.sums.get("stepwell_compaction_debt_chunks") ?? 0),
    },
    ...room(figure),
    {
      name: "Refused",
      value: wholeNumber(figure("stepwell_rejected_total")),
      hint: "points and entries, told to those who sent them",
      isBad: false,
      past: [],
    },
    {
      name: "Failed commits",
      value: wholeNumber(figure("stepwell_commits_failed_total")),
      hint: "tried again, unless the database refused them",
      isBad: failed > 0,
      past: [],
    },
    ...memory(figure("process_resident_memory_bytes"), rate(looks, looks.length - 1, "process_cpu_seconds_total")),
  ];
}

/** A disk with so little left is about to stop what is logged. */
const DISK_FREE_BAD = 0.1;

function room(figure: (name: string) => number): Fact[] {
  const [size, free] = [figure("stepwell_disk_bytes"), figure("stepwell_disk_free_bytes")];
  const database = figure("stepwell_database_bytes");
  const artifacts = figure("stepwell_artifact_bytes");
  const disk = {
    name: "Disk",
    value: `${bytes(free)} free`,
    hint: `of ${bytes(size)}, where the server has its data`,
    isBad: free < size * DISK_FREE_BAD,
    past: [],
  };
  const stored = {
    name: "Stored",
    value: bytes(database + artifacts),
    hint: `${bytes(database)} in the database, ${bytes(artifacts)} of artifacts`,
    isBad: false,
    past: [],
  };
  return [...(size ? [disk] : []), ...(database ? [stored] : [])];
}

function memory(resident: number, cores: number): Fact[] {
  // Several workers tell none of their own.
  if (!resident) return [];
  const hint = `${shortNumber(cores, 2)} cores busy`;
  return [{ name: "Memory of the server", value: bytes(resident), hint, isBad: false, past: [] }];
}

function rate(looks: Look[], place: number, name: string): number {
  const now = looks[place];
  const before = looks[Math.max(place - RATE_LOOKS, 0)];
  if (!now || !before || now.atMs <= before.atMs) return 0;
  return growth(before.figures, now.figures, name) / ((now.atMs - before.atMs) / 1000);
}
