import { infiniteQueryOptions, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import { isTaken } from "../api/failures";
import { modelVersionService, registeredModelService } from "../api/modelClients";
import type { Tag } from "../gen/stepwell_api/v1/runs_pb";
import { author } from "../models/author";
import type { Message } from "./experiments";

const PAGE_SIZE = 100;
const CHANGES = 100;
// What is looked at is asked for again this often.
const FRESH_MS = 5_000;

/** Registered models, a page at a time, the one that changed last first. */
export function registeredModelsQuery(filter: string) {
  return infiniteQueryOptions({
    queryKey: ["registry", "models", filter],
    queryFn: ({ pageParam, signal }) =>
      registeredModelService.searchRegisteredModels(
        { filter, orderBy: ["last_updated_timestamp DESC"], pageSize: PAGE_SIZE, pageToken: pageParam },
        { signal },
      ),
    initialPageParam: "",
    getNextPageParam: (page) => page.nextPageToken || undefined,
    select: ({ pages }) => pages.flatMap(({ registeredModels }) => registeredModels),
    refetchInterval: FRESH_MS,
    placeholderData: (before) => before,
  });
}

/** One registered model with the latest version of each stage. */
export function registeredModelQuery(name: string) {
  return queryOptions({
    queryKey: ["registry", "model", name],
    queryFn: ({ signal }) => registeredModelService.getRegisteredModel({ name }, { signal }),
    select: (answer) => answer.registeredModel,
    refetchInterval: FRESH_MS,
  });
}

/** The versions of a registered model, a page at a time, the newest first. */
export function versionsQuery(name: string) {
  return infiniteQueryOptions({
    queryKey: ["registry", "versions", name],
    queryFn: ({ pageParam, signal }) =>
      modelVersionService.searchModelVersions(
        {
          filter: `name = '${name.replaceAll("'", "''")}'`,
          orderBy: ["version_number DESC"],
          pageSize: PAGE_SIZE,
          pageToken: pageParam,
        },
        { signal },
      ),
    initialPageParam: "",
    getNextPageParam: (page) => page.nextPageToken || undefined,
    select: ({ pages }) => pages.flatMap(({ modelVersions }) => modelVersions),
    refetchInterval: FRESH_MS,
  });
}

/** The versions that were made of a logged model. */
export function versionsOfModelQuery(modelId: string) {
  return queryOptions({
    queryKey: ["registry", "of", modelId],
    queryFn: ({ signal }) =>
      modelVersionService.searchModelVersions({ filter: `model_id = '${modelId}'`, pageSize: PAGE_SIZE }, { signal }),
    select: (answer) => answer.modelVersions.toSorted((a, b) => a.name.localeCompare(b.name) || b.version - a.version),
    refetchInterval: FRESH_MS,
  });
}

export function versionQuery(name: string, version: number) {
  return queryOptions({
    queryKey: ["registry", "version", name, version],
    queryFn: ({ signal }) =>
      modelVersionService.getModelVersion({ name, selector: { case: "version", value: version } }, { signal }),
    select: (answer) => answer.modelVersion,
    refetchInterval: FRESH_MS,
  });
}

/** What changed, the latest first, a page at a time. */
export function changesQuery(name: string, version?: number) {
  return infiniteQueryOptions({
    queryKey: ["registry", "changes", name, version ?? null],
    queryFn: ({ pageParam, signal }) =>
      registeredModelService.listChanges({ name, version, position: pageParam, limit: CHANGES }, { signal }),
    initialPageParam: 0n,
    getNextPageParam: ({ changes }) => (changes.length < CHANGES ? undefined : changes.at(-1)?.number),
    select: ({ pages }) => pages.flatMap(({ changes }) => changes),
    refetchInterval: FRESH_MS,
  });
}

interface Registered {
  name: string;
  source: string;
  runId?: string;
  modelId?: string;
}

/** Makes a version, and the registered model before it if there is none of that name. */
async function register({ name, ...given }: Registered) {
  try {
    await registeredModelService.createRegisteredModel({ name, author: author() });
  } catch (error) {
    if (!isTaken(error)) throw error;
  }
  return await modelVersionService.createModelVersion({ name, ...given, author: author() });
}

/** What a registered model or, with a number, one of its versions may be changed in. */
export function useRegistryChanges(name: string, version = 0) {
  const client = useQueryClient();
  const onSettled = () => client.invalidateQueries({ queryKey: ["registry"] });
  const change = (given: { description?: string; tags?: Message<Tag>[] }): Promise<unknown> =>
    version
      ? modelVersionService.updateModelVersion({ name, version, ...given, author: author() })
      : registeredModelService.updateRegisteredModel({ name, ...given, author: author() });
  return {
    create: useMutation({
      mutationFn: (given: { name: string; description: string; customStages: string[] }) =>
        registeredModelService.createRegisteredModel({ ...given, author: author() }),
      onSettled,
    }),
    register: useMutation({ mutationFn: register, onSettled }),
    rename: useMutation({
      mutationFn: (newName: string) =>
        registeredModelService.updateRegisteredModel({ name, newName, author: author() }),
      onSettled,
    }),
    stages: useMutation({
      mutationFn: (own: string[]) =>
        registeredModelService.updateRegisteredModel({ name, customStages: { name: own }, author: author() }),
      onSettled,
    }),
    describe: useMutation({ mutationFn: (description: string) => change({ description }), onSettled }),
    tag: useMutation({ mutationFn: (tag: Message<Tag>) => change({ tags: [tag] }), onSettled }),
    untag: useMutation({
      mutationFn: (key: string): Promise<unknown> =>
        version
          ? modelVersionService.deleteModelVersionTag({ name, version, key, author: author() })
          : registeredModelService.deleteRegisteredModelTag({ name, key, author: author() }),
      onSettled,
    }),
    setAlias: useMutation({
      mutationFn: (given: { alias: string; version: number; expectVersion: number }) =>
        registeredModelService.setAlias({ name, ...given, author: author() }),
      onSettled,
    }),
    removeAlias: useMutation({
      mutationFn: (alias: string) => registeredModelService.deleteAlias({ name, alias, author: author() }),
      onSettled,
    }),
    move: useMutation({
      mutationFn: ({ comment, ...given }: Move) =>
        modelVersionService.transitionStage({ name, ...given, author: author(comment) }),
      onSettled,
    }),
    remove: useMutation({
      mutationFn: (comment: string): Promise<unknown> =>
        version
          ? modelVersionService.deleteModelVersion({ name, version, author: author(comment) })
          : registeredModelService.deleteRegisteredModel({ name, author: author(comment) }),
      onSettled,
    }),
  };
}

export interface Move {
  version: number;
  stage: string;
  archiveExistingVersions: boolean;
  /** The version that the reader saw there; the server refuses when it is another one meanwhile. */
  expectVersionInStage?: number;
  comment: string;
}
