import type { ReactNode } from "react";

import { Button } from "./Button";
import styles from "./Notice.module.css";
import { Awaited, Failure, Loading } from "./Notice";

interface Asked<Data> {
  data: Data | undefined;
  error: unknown;
  refetch: () => unknown;
  /** The data is the answer of the question before, until this one has its own. */
  isPlaceholderData?: boolean;
  /** Of what comes a page at a time. */
  hasNextPage?: boolean;
  isFetchingNextPage?: boolean;
  fetchNextPage?: () => unknown;
}

interface Props<Data> {
  found: Asked<Data>;
  /** What it is that comes. */
  what: string;
  /** In the place of a list that has nothing in it. */
  empty?: ReactNode;
  children: (data: Data) => ReactNode;
}

/** What became of a question so far: an answer stays when it is asked again in vain. */
export function Answer<Data>({ found, what, empty, children }: Props<Data>) {
  if (found.data === undefined)
    return found.error ? <Failure error={found.error} retry={() => void found.refetch()} /> : <Loading what={what} />;
  if (empty && Array.isArray(found.data) && found.data.length === 0)
    return found.isPlaceholderData ? <Loading what={what} /> : empty;
  return (
    <>
      <Awaited isAwaited={found.isPlaceholderData ?? false}>{children(found.data)}</Awaited>
      {found.hasNextPage && (
        <Button
          className={styles.more}
          disabled={found.isFetchingNextPage}
          onClick={() => void found.fetchNextPage?.()}
        >
          Show more
        </Button>
      )}
    </>
  );
}
