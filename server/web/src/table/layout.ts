import type { Run } from "../gen/stepwell_api/v1/runs_pb";
import type { Column } from "./columns";

export const ROW_HEIGHT = 32;

/** A column in view, its number among all, and where it is in pixels. */
export interface Placed {
  column: Column;
  number: number;
  left: number;
  width: number;
}

const [DIGIT_PX, SIDES_PX] = [7.9, 20];

/** How many digits a cell of this width has room for. */
export const digitsIn = (width: number): number => (width - SIDES_PX) / DIGIT_PX;

/** What rows ask of the page; the same object as long as it asks the same. */
export interface TableActions {
  toggle: (id: string, isShown: boolean) => void;
  select: (runId: string, selected: boolean, isRange: boolean) => void;
  open: (key: string, open: boolean) => void;
  more: (key: string) => void;
  menu: (run: Run, x: number, y: number) => void;
}

/** ARIA counts columns from 1; marks and name come first. */
export const ariaColumn = (number: number): number => number + 3;
