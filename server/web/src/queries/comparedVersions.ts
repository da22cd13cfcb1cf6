import { useQueries } from "@tanstack/react-query";

import type { LoggedModel } from "../gen/stepwell_api/v1/models_pb";
import type { ModelVersion } from "../gen/stepwell_api/v1/registry_pb";
import type { ModelFile } from "../models/modelFile";
import { placeOf } from "../models/place";
import { modelFileQuery } from "./modelFile";
import { modelQuery } from "./models";
import { versionQuery } from "./registry";

/** A version with what is known of it; its logged model or its file may be gone, or outside of the server. */
export interface KnownVersion {
  version: ModelVersion;
  model: LoggedModel | undefined;
  file: ModelFile | undefined;
}

/** Some versions of a registered model, with what was logged of them and what their files say. */
export function useComparedVersions(name: string, numbers: number[]) {
  const asked = useQueries({ queries: numbers.map((number) => versionQuery(name, number)) });
  const versions = asked.map(({ data }) => data).filter((one) => one !== undefined);
  const models = useQueries({
    queries: versions.map((version) => ({ ...modelQuery(version.modelId), enabled: version.modelId !== "" })),
  });
  const files = useQueries({
    queries: versions.map((version) => {
      const place = placeOf(version);
      return { ...modelFileQuery(place ?? { owner: "", folder: "" }), enabled: place !== null };
    }),
  });
  return {
    known: versions.map((version, at): KnownVersion => ({ version, model: models[at]?.data, file: files[at]?.data })),
    isPending: [...asked, ...models, ...files].some((one) => one.isLoading),
    error: asked.find((one) => one.isLoadingError)?.error ?? null,
  };
}
