import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useDeferredValue, useId, useState } from "react";

import { isMissing } from "../../api/failures";
import { Field } from "../../parts/Field";
import { say } from "../../parts/toast";
import { useIsThere } from "../../parts/useSending";
import { registeredModelQuery, registeredModelsQuery, useRegistryChanges } from "../../queries/registry";
import { nameLike } from "../../url/filters";
import { Ask } from "./Ask";

interface Props {
  source: string;
  modelId: string;
  suggestion: string;
  onClose: () => void;
}

/** Makes a logged model a version of a registered model, an existing one or a new one, and goes there. */
export function RegisterModel({ source, modelId, suggestion, onClose }: Props) {
  const list = useId();
  const navigate = useNavigate();
  const [draft, setDraft] = useState(suggestion);
  const name = draft.trim();
  const { register } = useRegistryChanges(name);
  const looked = useDeferredValue(name);
  const found = useInfiniteQuery(registeredModelsQuery(nameLike(looked)));
  const same = useQuery({ ...registeredModelQuery(looked), enabled: looked !== "", refetchInterval: false });
  const isThere = useIsThere();
  const names = found.data?.map((one) => one.name) ?? [];
  const act = async () => {
    const { modelVersion } = await register.mutateAsync({ name, source, modelId });
    const version = String(modelVersion?.version ?? "");
    if (isThere()) await navigate({ to: "/models/$name/versions/$version", params: { name, version } });
    else say(`It is version ${version} of ${name}`);
  };
  return (
    <Ask title="Register the model" verb="Register" isReady={name !== ""} act={act} onClose={onClose}>
      <Field
        label="Registered model"
        autoFocus
        maxLength={500}
        list={list}
        value={draft}
        hint={
          same.data
            ? "It gets a new version."
            : isMissing(same.error)
              ? "There is none of this name: it is created."
              : "An existing one, or a new name"
        }
        onChange={(event) => setDraft(event.target.value)}
      />
      <datalist id={list}>
        {names.map((one) => (
          <option key={one} value={one} />
        ))}
      </datalist>
    </Ask>
  );
}
