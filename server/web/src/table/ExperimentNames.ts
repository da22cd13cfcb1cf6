import { createContext } from "react";

const NO_NAMES: ReadonlyMap<string, string> = new Map();

/** The names of the experiments whose runs a table shows, by their numbers as text. */
export const ExperimentNames = createContext(NO_NAMES);
