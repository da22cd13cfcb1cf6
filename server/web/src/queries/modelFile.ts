import { queryOptions } from "@tanstack/react-query";

import { readModelFile } from "../models/modelFile";
import { within, type Place } from "../models/place";
import { readText } from "./artifacts";

const FRESH_MS = 10_000;

/** What the file MLmodel of a model says. */
export function modelFileQuery({ owner, folder }: Place) {
  const path = within(folder, "MLmodel");
  return queryOptions({
    queryKey: ["model file", owner, path],
    queryFn: async ({ signal }) => readModelFile((await readText(owner, path, signal)).text),
    staleTime: FRESH_MS,
  });
}
