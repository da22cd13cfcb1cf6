"""Messages of registry.proto to entities, and how this process says who it is."""

from stepwell.entities import PagedList
from stepwell.entities.model_registry import ModelVersion, RegisteredModel, RegistryChange
from stepwell.runs import context
from stepwell_api.v1 import registry_pb2 as pb

_KIND_PREFIX = "CHANGE_KIND_"


def author(comment: str | None = None) -> pb.Author:
    """Return the user of this process, and why they change something."""
    return pb.Author(user=context.user(), comment=comment or "")


def version(message: pb.ModelVersion) -> ModelVersion:
    """Return a version."""
    return ModelVersion(
        name=message.name,
        version=message.version,
        creation_timestamp=message.creation_time_ms,
        last_updated_timestamp=message.last_update_time_ms,
        description=message.description,
        user_id=message.user or None,
        current_stage=message.stage,
        source=message.source,
        run_id=message.run_id or None,
        tags={tag.key: tag.value for tag in message.tags},
        run_link=message.run_link or None,
        aliases=list(message.aliases),
        model_id=message.model_id or None,
    )


def model(message: pb.RegisteredModel) -> RegisteredModel:
    """Return a registered model."""
    return RegisteredModel(
        name=message.name,
        creation_timestamp=message.creation_time_ms,
        last_updated_timestamp=message.last_update_time_ms,
        description=message.description,
        latest_versions=list(map(version, message.latest_versions)),
        tags={tag.key: tag.value for tag in message.tags},
        aliases={it.alias: it.version for it in message.aliases},
        custom_stages=list(message.custom_stages),
    )


def change(message: pb.RegistryChange) -> RegistryChange:
    """Return something that changed."""
    return RegistryChange(
        number=message.number,
        timestamp=message.time_ms,
        kind=kind_name(message.kind),
        name=message.name,
        version=message.version or None,
        key=message.key,
        before=message.before,
        after=message.after,
        user=message.user,
        comment=message.comment,
        imported=message.imported,
    )


def change_back(change: RegistryChange) -> pb.RegistryChange:
    """Return something that changed as a message, for an import. Raises ValueError: there is no such kind."""
    return pb.RegistryChange(
        time_ms=change.timestamp,
        kind=pb.ChangeKind.Value(f"{_KIND_PREFIX}{change.kind.upper()}"),
        name=change.name,
        version=change.version or 0,
        key=change.key,
        before=change.before,
        after=change.after,
        user=change.user,
        comment=change.comment,
    )


def kind_name(number: pb.ChangeKind.ValueType) -> str:
    """Return what a kind of change is called, such as "stage_changed"."""
    return pb.ChangeKind.Name(number).removeprefix(_KIND_PREFIX).lower()


def models_page(answer: pb.SearchRegisteredModelsResponse) -> PagedList[RegisteredModel]:
    """Return a page of registered models."""
    return PagedList(map(model, answer.registered_models), answer.next_page_token or None)


def versions_page(answer: pb.SearchModelVersionsResponse) -> PagedList[ModelVersion]:
    """Return a page of versions."""
    return PagedList(map(version, answer.model_versions), answer.next_page_token or None)
