import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { wholeNumber } from "../format/numbers";
import { Button } from "../parts/Button";
import { Failure, Loading } from "../parts/Notice";
import { openParquet, readRows, ROWS_SHOWN } from "./parquet";
import { TableView } from "./TableView";
import styles from "./Viewer.module.css";

/** A Parquet file, some rows at a time; of a large file only these are fetched. */
export default function Parquet({ runId, path }: { runId: string; path: string }) {
  const [first, setFirst] = useState(0);
  const file = useQuery({
    queryKey: ["parquet", runId, path],
    queryFn: ({ signal }) => openParquet(runId, path, signal),
    staleTime: Infinity,
  });
  const rows = useQuery({
    queryKey: ["parquet", runId, path, first],
    queryFn: () => (file.data ? readRows(file.data, first) : null),
    enabled: file.data !== undefined,
    placeholderData: (before) => before,
  });
  const failed = file.error ?? rows.error;
  if (failed) return <Failure error={failed} />;
  if (!file.data || !rows.data) return <Loading what={path} />;
  const last = Math.min(first + ROWS_SHOWN, file.data.rowCount);
  return (
    <>
      <p className={styles.tools}>
        <span>
          Rows {wholeNumber(file.data.rowCount && first + 1)} to {wholeNumber(last)} of{" "}
          {wholeNumber(file.data.rowCount)}
        </span>
        <Button disabled={first === 0} onClick={() => setFirst(Math.max(first - ROWS_SHOWN, 0))}>
          Before
        </Button>
        <Button disabled={last >= file.data.rowCount} onClick={() => setFirst(first + ROWS_SHOWN)}>
          Next
        </Button>
      </p>
      <TableView table={rows.data} runId={runId} />
    </>
  );
}
