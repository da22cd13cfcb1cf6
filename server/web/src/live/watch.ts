import { seriesService } from "../api/clients";
import { WatchStart, type SeriesNews, type WatchResponse } from "../gen/stepwell_api/v1/series_pb";
import { Positions } from "./positions";

/** Something that is shown and wants to know what is committed to metrics of runs. */
export interface Interest {
  runIds: string[];
  keys: string[];
  onNews: (news: SeriesNews) => void;
  /** Told when news come only from now on: what was read before may lack some. */
  onCovered: () => void;
}

/** What the server follows in one stream, at most; beyond that nothing is live. */
const RUNS_MAX = 100;
const KEYS_MAX = 1_000;
/** Changes of what is shown that are so near to each other make one new stream. */
const SETTLE_MS = 120;
/** A stream without anybody who wants it ends after so long. */
const IDLE_MS = 2_000;
const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 10_000;
/** The server says something every 10 s; a stream that says nothing for so long is dead, though nobody told. */
const SILENT_MS = 30_000;

interface Plan {
  runIds: Set<string>;
  keys: Set<string>;
}

/**
 * The one stream of this tab for everything that it shows: HTTP/1.1 has six connections for all tabs. It ends while
 * nobody looks and when the tab is hidden, and goes on from the positions that it knows.
 */
class Watch {
  private readonly interests = new Set<Interest>();
  private readonly covered = new WeakSet<Interest>();
  private readonly positions = new Positions();
  private plan: Plan = { runIds: new Set(), keys: new Set() };
  private stream: AbortController | null = null;
  private isFlowing = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private silence: ReturnType<typeof setTimeout> | undefined;
  private retryMs = RETRY_FIRST_MS;

  constructor() {
    document.addEventListener("visibilitychange", () => (document.hidden ? this.end() : this.settle(0)));
  }

  follow(interest: Interest): () => void {
    this.interests.add(interest);
    if (this.stream && this.isFlowing && this.covers(interest)) this.covered.add(interest);
    else this.settle(SETTLE_MS);
    return () => {
      this.interests.delete(interest);
      if (this.interests.size === 0) this.settle(IDLE_MS);
    };
  }

  private covers({ runIds, keys }: Interest): boolean {
    return runIds.every((id) => this.plan.runIds.has(id)) && keys.every((key) => this.plan.keys.has(key));
  }

  private settle(afterMs: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.begin(), afterMs);
  }

  private end(): void {
    clearTimeout(this.timer);
    clearTimeout(this.silence);
    this.stream?.abort();
    this.stream = null;
    this.isFlowing = false;
  }

  private begin(): void {
    this.end();
    if (document.hidden || this.interests.size === 0) return;
    this.plan = planned([...this.interests]);
    const stream = new AbortController();
    this.stream = stream;
    this.hear();
    this.run(stream).catch(() => {
      if (stream.signal.aborted) return;
      this.end();
      this.settle(this.retryMs);
      this.retryMs = Math.min(this.retryMs * 2, RETRY_MAX_MS);
    });
  }

  private async run(stream: AbortController): Promise<void> {
    const runIds = [...this.plan.runIds];
    this.positions.keepOnly(runIds);
    const request = {
      runIds,
      keys: [...this.plan.keys],
      start: WatchStart.POSITIONS,
      positions: this.positions.all(),
      fromNowRunIds: runIds.filter((id) => !this.positions.isKnown(id)),
    };
    let isFirst = true;
    for await (const answer of seriesService.watch(request, { signal: stream.signal })) {
      if (stream.signal.aborted) return;
      this.hear();
      this.positions.learn(runIds, answer.positions);
      if (isFirst) this.cover();
      isFirst = false;
      this.tell(answer);
    }
    throw new Error("the stream ended");
  }

  private hear(): void {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.begin(), SILENT_MS);
  }

  private cover(): void {
    this.isFlowing = true;
    this.retryMs = RETRY_FIRST_MS;
    for (const interest of this.interests) {
      if (this.covered.has(interest) || !this.covers(interest)) continue;
      this.covered.add(interest);
      interest.onCovered();
    }
  }

  private tell(answer: WatchResponse): void {
    for (const news of answer.series) {
      for (const interest of this.interests) {
        if (interest.keys.includes(news.key) && interest.runIds.includes(news.runId)) interest.onNews(news);
      }
    }
  }
}

function planned(interests: Interest[]): Plan {
  const runIds = [...new Set(interests.flatMap((interest) => interest.runIds))];
  const keys = [...new Set(interests.flatMap((interest) => interest.keys))];
  return { runIds: new Set(runIds.slice(0, RUNS_MAX)), keys: new Set(keys.slice(0, KEYS_MAX)) };
}

let watch: Watch | null = null;

/** Be told what is committed to metrics of runs, until the returned function is called. */
export function follow(interest: Interest): () => void {
  watch ??= new Watch();
  return watch.follow(interest);
}
