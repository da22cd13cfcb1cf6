/** Lines over x, or a bar for the latest value of each; bars where there is one point a line, unless it is chosen. */
export const SHAPES = ["lines", "bars"] as const;
export type Shape = (typeof SHAPES)[number];
