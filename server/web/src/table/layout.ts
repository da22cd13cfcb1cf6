import type { Run } from "../gen/stepwell_api/v1/runs_pb";
import type { Column } from "./columns";

export const ROW_HEIGHT = 32;
export const COLUMN_WIDTH = 128;
/** Marks and name, which stay where they are when the table is scrolled sideways. */
export const START_WIDTH = 276;

/** A column in view, and its number among all. */
export interface Placed {
  column: Column;
  number: number;
}

/** What rows ask of the page; the same object as long as it asks the same. */
export interface TableActions {
  toggle: (runId: string) => void;
  select: (runId: string, selected: boolean, isRange: boolean) => void;
  open: (key: string, open: boolean) => void;
  more: (key: string) => void;
  menu: (run: Run, x: number, y: number) => void;
}

export const leftOf = (number: number): number => START_WIDTH + number * COLUMN_WIDTH;
/** ARIA counts columns from 1; marks and name come first. */
export const ariaColumn = (number: number): number => number + 3;
