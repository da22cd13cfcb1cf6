import { useState } from "react";

import { keepColumns, keepWidths, keptColumns, keptWidths } from "../../table/kept";
import type { Widths } from "../../table/widths";
import type { RunsView } from "../../url/runsView";

export interface Layout {
  /** The ids of the chosen columns; undefined for the usual ones. */
  columnIds: string[] | undefined;
  widths: Widths;
  setColumns: (ids: string[] | undefined) => void;
  setWidths: (widths: Widths) => void;
}

const NONE: Widths = {};

/** Columns and their widths: those of the address, else those that were chosen here before. */
export function useLayout(place: string, view: RunsView, change: (part: Partial<RunsView>) => void): Layout {
  const [columns, setColumns] = useState(() => keptColumns(place));
  const [widths, setWidths] = useState(() => keptWidths(place));
  return {
    columnIds: view.columns ?? columns,
    widths: view.widths ?? widths ?? NONE,
    setColumns: (ids) => {
      keepColumns(place, ids);
      setColumns(ids);
      change({ columns: ids });
    },
    setWidths: (next) => {
      const chosen = Object.keys(next).length ? next : undefined;
      keepWidths(place, chosen);
      setWidths(chosen);
      change({ widths: chosen });
    },
  };
}
