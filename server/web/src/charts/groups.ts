import { counted, wholeNumber } from "../format/numbers";
import type { SampleGroupsResponse } from "../gen/stepwell_api/v1/series_pb";
import { toColumns, valueColumns, type Columns, type Sample } from "./series";

/** What the band of a group's line is: one standard deviation on both sides, or from the least run to the greatest. */
export type Spread = "deviation" | "extremes";

/** One line for each group and metric: the mean over its runs, with a band. */
export function groupLines(
  answers: SampleGroupsResponse[],
  groupIds: string[],
  keys: string[],
  spread: Spread,
  isOverMetric: boolean,
): Columns {
  const samples = answers.map((answer): Sample => ({ ...answer, run: answer.group, ...ends(answer, spread) }));
  return isOverMetric ? valueColumns(samples, groupIds, keys) : toColumns(samples, groupIds, keys);
}

function ends({ mean, deviation, minimum, maximum }: SampleGroupsResponse, spread: Spread) {
  if (spread === "extremes") return { minimum, maximum };
  const beside = (sign: number) => mean.map((value, place) => value + sign * (deviation[place] as number));
  return { minimum: beside(-1), maximum: beside(1) };
}

/** How many runs lines are made of, in a few words; and which groups have how many. */
export interface Cover {
  short: string;
  full: string;
}

/** What a chart says of the runs that its lines are made of. */
export function coverOf(answers: SampleGroupsResponse[], names: string[]): Cover | null {
  const groups = new Map<number, SampleGroupsResponse>();
  for (const answer of answers) {
    const before = groups.get(answer.group);
    if (!before || answer.runsWithPoints > before.runsWithPoints) groups.set(answer.group, answer);
  }
  const lines = [...groups.values()];
  if (lines.length === 0) return null;
  const sum = (of: (line: SampleGroupsResponse) => bigint) => lines.reduce((total, line) => total + of(line), 0n);
  const isCut = lines.some(({ readRuns, foundRuns }) => readRuns < foundRuns);
  const covered = sum(({ runsWithPoints }) => runsWithPoints);
  const all = sum(({ foundRuns }) => foundRuns);
  return {
    short: isCut ? `newest ${wholeNumber(covered)} of ${counted(all, "run")}` : counted(covered, "run"),
    full: lines.map((line) => `${names[line.group] ?? ""}: ${told(line)}`).join("\n"),
  };
}

function told({ foundRuns, readRuns, runsWithPoints }: SampleGroupsResponse): string {
  if (readRuns < foundRuns) return `mean of ${counted(runsWithPoints, "run")}, the newest of ${wholeNumber(foundRuns)}`;
  const without = readRuns - runsWithPoints;
  return `mean of ${counted(runsWithPoints, "run")}${without ? `; ${wholeNumber(without)} more have no points here` : ""}`;
}
