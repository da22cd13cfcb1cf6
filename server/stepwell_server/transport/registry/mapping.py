"""Messages of registry.proto to values of the model and back."""

from collections.abc import Iterable, Mapping
from typing import Any

from stepwell_api.v1 import registry_pb2 as pb
from stepwell_api.v1 import runs_pb2
from stepwell_server.errors import InvalidArgumentError
from stepwell_server.model.registry import (
    Author,
    ChangeKind,
    ModelChange,
    ModelSpec,
    ModelVersion,
    RegisteredModel,
    RegistryChange,
    StageMove,
    VersionSpec,
)
from stepwell_server.transport.mapping import parse_tags

_KINDS = {
    ChangeKind.MODEL_CREATED: pb.CHANGE_KIND_MODEL_CREATED,
    ChangeKind.MODEL_RENAMED: pb.CHANGE_KIND_MODEL_RENAMED,
    ChangeKind.MODEL_DELETED: pb.CHANGE_KIND_MODEL_DELETED,
    ChangeKind.VERSION_CREATED: pb.CHANGE_KIND_VERSION_CREATED,
    ChangeKind.VERSION_DELETED: pb.CHANGE_KIND_VERSION_DELETED,
    ChangeKind.STAGE_CHANGED: pb.CHANGE_KIND_STAGE_CHANGED,
    ChangeKind.ALIAS_SET: pb.CHANGE_KIND_ALIAS_SET,
    ChangeKind.ALIAS_REMOVED: pb.CHANGE_KIND_ALIAS_REMOVED,
    ChangeKind.TAG_SET: pb.CHANGE_KIND_TAG_SET,
    ChangeKind.TAG_REMOVED: pb.CHANGE_KIND_TAG_REMOVED,
    ChangeKind.ALERT: pb.CHANGE_KIND_ALERT,
}
_KINDS_BACK: dict[int, ChangeKind] = {number: kind for kind, number in _KINDS.items()}


def parse_author(message: pb.Author) -> Author:
    """Return who changes something and why."""
    return Author(message.user, message.comment)


def parse_kinds(numbers: Iterable[int]) -> list[ChangeKind]:
    """Return kinds of changes."""
    unknown = [number for number in numbers if number not in _KINDS_BACK]
    if unknown:
        raise InvalidArgumentError(f"{unknown[0]} is not a kind of change; see ChangeKind in registry.proto")
    return [_KINDS_BACK[number] for number in numbers]


def kind_to_proto(kind: ChangeKind) -> pb.ChangeKind.ValueType:
    """Return a kind of change as a message has it."""
    return _KINDS[kind]


def parse_expected(request: Any, field: str) -> int | None:
    """Return which version a caller expects somewhere, 0 for none; None without a condition."""
    return getattr(request, field) if request.HasField(field) else None


def model_spec_from_proto(request: pb.CreateRegisteredModelRequest) -> ModelSpec:
    """Return all that is needed to create a registered model."""
    return ModelSpec(
        name=request.name,
        description=request.description,
        tags=parse_tags(request.tags),
        custom_stages=list(request.custom_stages),
        creation_time_ms=request.creation_time_ms,
        history=list(map(_change_from_proto, request.history)),
    )


def _change_from_proto(message: pb.RegistryChange) -> RegistryChange:
    (kind,) = parse_kinds([message.kind])
    return RegistryChange(
        number=0,
        time_ms=message.time_ms,
        kind=kind,
        name=message.name,
        version=message.version,
        key=message.key,
        before=message.before,
        after=message.after,
        user=message.user,
        comment=message.comment,
        imported=True,
    )


def model_change_from_proto(request: pb.UpdateRegisteredModelRequest) -> ModelChange:
    """Return what an update sets."""
    return ModelChange(
        new_name=request.new_name if request.HasField("new_name") else None,
        description=request.description if request.HasField("description") else None,
        tags=parse_tags(request.tags),
        custom_stages=list(request.custom_stages.name) if request.HasField("custom_stages") else None,
    )


def version_spec_from_proto(request: pb.CreateModelVersionRequest) -> VersionSpec:
    """Return all that is needed to create a version."""
    return VersionSpec(
        name=request.name,
        source=request.source,
        run_id=request.run_id,
        model_id=request.model_id,
        run_link=request.run_link,
        description=request.description,
        tags=parse_tags(request.tags),
        number=request.version,
        creation_time_ms=request.creation_time_ms,
        user=request.user,
    )


def stage_move_from_proto(request: pb.TransitionStageRequest) -> StageMove:
    """Return a version on its way to a stage."""
    return StageMove(
        request.name,
        request.version,
        request.stage,
        request.archive_existing_versions,
        parse_expected(request, "expect_version_in_stage"),
    )


def model_to_proto(model: RegisteredModel) -> pb.RegisteredModel:
    """Return a registered model as a message."""
    return pb.RegisteredModel(
        name=model.name,
        description=model.description,
        creation_time_ms=model.creation_time_ms,
        last_update_time_ms=model.last_update_time_ms,
        tags=_tags(model.tags),
        aliases=[pb.ModelAlias(alias=alias, version=version) for alias, version in model.aliases.items()],
        latest_versions=map(version_to_proto, model.latest_versions),
        custom_stages=model.custom_stages,
    )


def version_to_proto(version: ModelVersion) -> pb.ModelVersion:
    """Return a version as a message."""
    return pb.ModelVersion(
        name=version.name,
        version=version.version,
        stage=version.stage,
        description=version.description,
        source=version.source,
        storage_uri=version.storage_uri,
        run_id=version.run_id,
        model_id=version.model_id,
        run_link=version.run_link,
        user=version.user,
        creation_time_ms=version.creation_time_ms,
        last_update_time_ms=version.last_update_time_ms,
        tags=_tags(version.tags),
        aliases=version.aliases,
    )


def change_to_proto(change: RegistryChange) -> pb.RegistryChange:
    """Return something that changed as a message."""
    return pb.RegistryChange(
        number=change.number,
        time_ms=change.time_ms,
        kind=_KINDS[change.kind],
        name=change.name,
        version=change.version,
        key=change.key,
        before=change.before,
        after=change.after,
        user=change.user,
        comment=change.comment,
        imported=change.imported,
    )


def _tags(tags: Mapping[str, str]) -> list[runs_pb2.Tag]:
    return [runs_pb2.Tag(key=key, value=value) for key, value in tags.items()]
