import { parse } from "papaparse";
import { useMemo } from "react";

import { TableView } from "./TableView";

/** A file of comma or tab separated values; its first line has the names of the columns. */
export default function Csv({ text, runId }: { text: string; runId: string }) {
  const table = useMemo(() => {
    const [columns = [], ...rows] = parse<string[]>(text.trimEnd(), { skipEmptyLines: true }).data;
    return { columns, rows };
  }, [text]);
  return <TableView table={table} runId={runId} />;
}
