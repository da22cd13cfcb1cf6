import type { ModelVersion, RegisteredModel } from "../gen/stepwell_api/v1/registry_pb";

type Known = Pick<ModelVersion, "name" | "version" | "stage" | "aliases">;

/** The URIs that name a version now: by its number, its aliases and, if it is the newest there, its stage. */
export function urisOf(version: Known, model: Pick<RegisteredModel, "latestVersions"> | undefined): string[] {
  const { name, stage } = version;
  const isNewest = model?.latestVersions.some((one) => one.stage === stage && one.version === version.version);
  return [
    `models:/${name}/${version.version}`,
    ...version.aliases.map((alias) => `models:/${name}@${alias}`),
    ...(isNewest && stage !== "None" && stage !== "Archived" ? [`models:/${name}/${stage}`] : []),
  ];
}
