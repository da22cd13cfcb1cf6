import { say } from "../../parts/toast";
import { useRegistryChanges } from "../../queries/registry";
import { Ask } from "./Ask";

interface Props {
  name: string;
  /** A version alone; without one, the registered model with all of them. */
  version?: number;
  onClose: () => void;
  then?: () => void;
}

/** Deletes for good what the registry has, after a question. Files of runs stay. */
export function DeleteModel({ name, version, onClose, then }: Props) {
  const { remove } = useRegistryChanges(name, version);
  const what = version === undefined ? name : `Version ${version}`;
  const act = async (comment: string) => {
    await remove.mutateAsync(comment);
    say(`${what} is deleted`);
    then?.();
  };
  return (
    <Ask
      title={version === undefined ? "Delete the model?" : `Delete version ${version}?`}
      verb="Delete"
      danger
      hasComment
      act={act}
      onClose={onClose}
    >
      <p>
        {version === undefined ? (
          <>
            <b>{name}</b> and all of its versions are gone for good.
          </>
        ) : (
          <>
            Version {version} of <b>{name}</b> and the aliases that stand for it are gone for good.
          </>
        )}{" "}
        Runs keep their files, and the history stays.
      </p>
    </Ask>
  );
}
