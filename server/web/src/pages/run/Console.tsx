import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef, useState } from "react";

import { painted } from "../../format/ansi";
import { counted } from "../../format/numbers";
import { iso } from "../../format/times";
import { Button } from "../../parts/Button";
import { Field } from "../../parts/Field";
import { CONSOLE } from "../../parts/firstSteps";
import { Empty, Failure, Loading } from "../../parts/Notice";
import { Script } from "../../parts/Script";
import { consoleQuery, olderConsoleQuery } from "../../queries/writers";
import styles from "./Console.module.css";
import { linesOf, type ConsoleLine } from "./consoleLines";

const LINE_HEIGHT = 18;
/** So near to the end the view stays at it when lines come. */
const AT_END_PX = 40;

/** What the processes of a run printed: the last lines first, older ones on demand; it follows a run that goes on. */
export function Console({ runId, live }: { runId: string; live: boolean }) {
  const last = useQuery(consoleQuery(runId, live));
  const first = useRef(last.data?.pieces[0]?.place);
  first.current ??= last.data?.pieces[0]?.place;
  const older = useInfiniteQuery(olderConsoleQuery(runId, first.current));
  const [text, setText] = useState("");
  const lines = useMemo(() => {
    const before = older.data?.pages.toReversed().flatMap((page) => page.pieces) ?? [];
    return linesOf([...before, ...(last.data?.pieces ?? [])], text);
  }, [older.data, last.data, text]);
  if (last.isPending) return <Loading what="the console" />;
  if (last.isError && !last.data) return <Failure error={last.error} retry={() => void last.refetch()} />;
  if (last.data?.pieces.length === 0)
    return (
      <Empty title="Nothing was captured">
        <p>A run takes along what its process prints where it is told to, here or by STEPWELL_LOG_CONSOLE=true.</p>
        <Script title="Python" text={CONSOLE} />
      </Empty>
    );
  const hasMore = older.data ? older.hasNextPage : last.data?.hasMore;
  return (
    <section className={styles.console} aria-label="Console">
      <header className={styles.tools}>
        <Field
          label="Search the lines"
          hideLabel
          type="search"
          placeholder="Search loaded lines"
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
        <small>{counted(lines.length, "line")}</small>
        {hasMore && (
          <Button
            disabled={older.isFetching}
            onClick={() => void (older.data ? older.fetchNextPage() : older.refetch())}
          >
            Load older lines
          </Button>
        )}
      </header>
      <Lines lines={lines} />
    </section>
  );
}

function Lines({ lines }: { lines: ConsoleLine[] }) {
  const place = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const isRanked = lines.some(({ rank }) => rank !== undefined && rank !== lines[0]?.rank);
  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => place.current,
    estimateSize: () => LINE_HEIGHT,
    getItemKey: (number) => lines[number]?.id ?? number,
    overscan: 30,
  });
  useEffect(() => {
    if (atEnd.current && lines.length) virtual.scrollToIndex(lines.length - 1, { align: "end" });
  }, [lines.length]);
  return (
    <div
      ref={place}
      className={styles.scroll}
      // Lines can be scrolled by keys, too.
      tabIndex={0}
      role="log"
      aria-label="Lines"
      onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
        atEnd.current = scrollHeight - scrollTop - clientHeight < AT_END_PX;
      }}
    >
      <div className={styles.all} style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map((item) => {
          const line = lines[item.index] as ConsoleLine;
          return (
            <div
              key={item.key}
              ref={virtual.measureElement}
              data-index={item.index}
              className={`${styles.line} ${line.isNote ? styles.note : line.isError ? styles.error : ""}`}
              style={{ transform: `translateY(${item.start}px)` }}
              title={iso(line.timeMs)}
            >
              {isRanked && <i>{line.rank ?? "–"}</i>}
              <Text text={line.text} />
            </div>
          );
        })}
      </div>
    </div>
  );
}

function Text({ text }: { text: string }) {
  return (
    <code>
      {painted(text).map((part, place) => (
        <span
          key={place}
          className={part.color === null ? undefined : styles[`color${part.color}`]}
          style={part.bold ? { fontWeight: 700 } : undefined}
        >
          {part.text}
        </span>
      ))}
    </code>
  );
}
