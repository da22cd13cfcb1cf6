import { ChangeKind, type RegistryChange } from "../gen/stepwell_api/v1/registry_pb";

/** What happened, in a sentence without its subject's name. */
export function changeText(change: RegistryChange): string {
  const { kind, version, key, before, after } = change;
  const what = version ? `Version ${version}` : "The model";
  switch (kind) {
    case ChangeKind.MODEL_CREATED:
      return "The model was created";
    case ChangeKind.MODEL_RENAMED:
      return `Renamed from ${before} to ${after}`;
    case ChangeKind.MODEL_DELETED:
      return "The model was deleted";
    case ChangeKind.VERSION_CREATED:
      return `${what} was registered`;
    case ChangeKind.VERSION_DELETED:
      return `${what} was deleted, in ${before}`;
    case ChangeKind.STAGE_CHANGED:
      return `${what} went from ${before} to ${after}`;
    case ChangeKind.ALIAS_SET:
      return `@${key} stands for version ${version}${before && before !== after ? `, before for version ${before}` : ""}`;
    case ChangeKind.ALIAS_REMOVED:
      return `@${key} was removed from version ${before || version}`;
    case ChangeKind.TAG_SET:
      return `${what} was tagged ${key}: ${after}`;
    case ChangeKind.TAG_REMOVED:
      return `${what} lost its tag ${key}`;
    default:
      return "Something changed";
  }
}
