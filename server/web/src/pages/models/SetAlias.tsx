import { useState } from "react";

import type { RegisteredModel } from "../../gen/stepwell_api/v1/registry_pb";
import { Field } from "../../parts/Field";
import { useRegistryChanges } from "../../queries/registry";
import { Ask } from "./Ask";

interface Props {
  model: RegisteredModel;
  version: number;
  onClose: () => void;
}

/** Lets an alias stand for a version, whatever it stood for before. */
export function SetAlias({ model, version, onClose }: Props) {
  const { setAlias } = useRegistryChanges(model.name);
  const [draft, setDraft] = useState("");
  const alias = draft.trim().replace(/^@/, "");
  const before = model.aliases.find((one) => one.alias === alias)?.version ?? 0;
  return (
    <Ask
      title={`Alias for version ${version}`}
      verb="Set"
      isReady={alias !== ""}
      act={() => setAlias.mutateAsync({ alias, version, expectVersion: before })}
      onClose={onClose}
    >
      <Field
        label="Alias"
        autoFocus
        maxLength={255}
        value={draft}
        hint={
          before && before !== version
            ? `It stands for version ${before} now.`
            : "Letters, digits, _ and -, for example champion"
        }
        onChange={(event) => setDraft(event.target.value)}
      />
    </Ask>
  );
}
