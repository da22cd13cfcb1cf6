"""The calls of the registry on one server: entities out. Errors: see `Connection.call`."""

from collections.abc import Iterator, Mapping, Sequence

from stepwell.entities import PagedList
from stepwell.entities.model_registry import ModelVersion, RegisteredModel, RegistryChange
from stepwell.registry import messages
from stepwell.wire.connection import connect
from stepwell.wire.messages import to_tags
from stepwell_api.v1 import registry_pb2 as pb

# The comment of what an import does.
IMPORTED = "imported"
# Of searches for everything.
PAGE_SIZE = 1_000


class RegistryCalls:
    """Registered models and versions of one server."""

    def __init__(self, uri: str) -> None:
        self._connection = connect(uri)

    def create_model(
        self, name: str, tags: Mapping[str, str], description: str, custom_stages: Sequence[str]
    ) -> RegisteredModel:
        """Create a registered model."""
        request = pb.CreateRegisteredModelRequest(
            name=name,
            description=description,
            tags=to_tags(tags),
            custom_stages=custom_stages,
            author=messages.author(),
        )
        answer = self._connection.call(lambda server: server.registered_models.CreateRegisteredModel(request))
        return messages.model(answer.registered_model)

    def import_model(self, request: pb.CreateRegisteredModelRequest) -> None:
        """Create a registered model as it was elsewhere."""
        request.author.CopyFrom(messages.author(IMPORTED))
        self._connection.call(lambda server: server.registered_models.CreateRegisteredModel(request))

    def get_model(self, name: str) -> RegisteredModel:
        """Return a registered model."""
        request = pb.GetRegisteredModelRequest(name=name)
        answer = self._connection.call(lambda server: server.registered_models.GetRegisteredModel(request))
        return messages.model(answer.registered_model)

    def update_model(
        self,
        name: str,
        *,
        new_name: str | None = None,
        description: str | None = None,
        tags: Mapping[str, str] | None = None,
        custom_stages: Sequence[str] | None = None,
    ) -> RegisteredModel:
        """Change what is given."""
        request = pb.UpdateRegisteredModelRequest(
            name=name,
            new_name=new_name,
            description=description,
            tags=to_tags(tags or {}),
            custom_stages=None if custom_stages is None else pb.Stages(name=custom_stages),
            author=messages.author(),
        )
        answer = self._connection.call(lambda server: server.registered_models.UpdateRegisteredModel(request))
        return messages.model(answer.registered_model)

    def delete_model(self, name: str) -> None:
        """Delete a registered model with its versions."""
        request = pb.DeleteRegisteredModelRequest(name=name, author=messages.author())
        self._connection.call(lambda server: server.registered_models.DeleteRegisteredModel(request))

    def delete_model_tag(self, name: str, key: str) -> None:
        """Remove a tag of a registered model."""
        request = pb.DeleteRegisteredModelTagRequest(name=name, key=key, author=messages.author())
        self._connection.call(lambda server: server.registered_models.DeleteRegisteredModelTag(request))

    def search_models(self, request: pb.SearchRegisteredModelsRequest) -> PagedList[RegisteredModel]:
        """Return what the server answers of a page; it may be less than a page."""
        answer = self._connection.call(
            lambda server: server.registered_models.SearchRegisteredModels(request)
        )
        return messages.models_page(answer)

    def set_alias(
        self, name: str, alias: str, version: int, expected: int | None, comment: str | None
    ) -> None:
        """Let an alias stand for a version."""
        request = pb.SetAliasRequest(
            name=name,
            alias=alias,
            version=version,
            expect_version=expected,
            author=messages.author(comment),
        )
        self._connection.call(lambda server: server.registered_models.SetAlias(request))

    def delete_alias(self, name: str, alias: str, comment: str | None) -> None:
        """Remove an alias."""
        request = pb.DeleteAliasRequest(name=name, alias=alias, author=messages.author(comment))
        self._connection.call(lambda server: server.registered_models.DeleteAlias(request))

    def create_version(
        self, request: pb.CreateModelVersionRequest, comment: str | None = None
    ) -> ModelVersion:
        """Create a version."""
        request.author.CopyFrom(messages.author(comment))
        answer = self._connection.call(lambda server: server.model_versions.CreateModelVersion(request))
        return messages.version(answer.model_version)

    def get_version(self, name: str, version: int) -> ModelVersion:
        """Return a version."""
        return messages.version(self._get(pb.GetModelVersionRequest(name=name, version=version)))

    def get_version_by_alias(self, name: str, alias: str) -> ModelVersion:
        """Return what an alias stands for."""
        return messages.version(self._get(pb.GetModelVersionRequest(name=name, alias=alias)))

    def storage_uri(self, name: str, version: int) -> str:
        """Return where the files of a version are."""
        return self._get(pb.GetModelVersionRequest(name=name, version=version)).storage_uri

    def latest_versions(self, name: str, stages: Sequence[str]) -> list[ModelVersion]:
        """Return the latest version of each stage."""
        request = pb.GetLatestVersionsRequest(name=name, stages=stages)
        answer = self._connection.call(lambda server: server.model_versions.GetLatestVersions(request))
        return list(map(messages.version, answer.model_versions))

    def update_version(
        self, name: str, version: int, description: str | None = None, tags: Mapping[str, str] | None = None
    ) -> ModelVersion:
        """Change what is given."""
        request = pb.UpdateModelVersionRequest(
            name=name,
            version=version,
            description=description,
            tags=to_tags(tags or {}),
            author=messages.author(),
        )
        answer = self._connection.call(lambda server: server.model_versions.UpdateModelVersion(request))
        return messages.version(answer.model_version)

    def delete_version(self, name: str, version: int) -> None:
        """Delete a version."""
        request = pb.DeleteModelVersionRequest(name=name, version=version, author=messages.author())
        self._connection.call(lambda server: server.model_versions.DeleteModelVersion(request))

    def delete_version_tag(self, name: str, version: int, key: str) -> None:
        """Remove a tag of a version."""
        request = pb.DeleteModelVersionTagRequest(
            name=name, version=version, key=key, author=messages.author()
        )
        self._connection.call(lambda server: server.model_versions.DeleteModelVersionTag(request))

    def move(self, request: pb.TransitionStageRequest, comment: str | None) -> ModelVersion:
        """Move a version to a stage."""
        request.author.CopyFrom(messages.author(comment))
        answer = self._connection.call(lambda server: server.model_versions.TransitionStage(request))
        return messages.version(answer.model_version)

    def search_versions(self, request: pb.SearchModelVersionsRequest) -> PagedList[ModelVersion]:
        """Return what the server answers of a page; it may be less than a page."""
        answer = self._connection.call(lambda server: server.model_versions.SearchModelVersions(request))
        return messages.versions_page(answer)

    def all_models(self) -> Iterator[RegisteredModel]:
        """Yield all registered models, page by page."""
        request = pb.SearchRegisteredModelsRequest(page_size=PAGE_SIZE)
        while True:
            page = self.search_models(request)
            yield from page
            if not page.token:
                return
            request.page_token = page.token

    def all_versions(self, filter_: str) -> Iterator[pb.ModelVersion]:
        """Yield the versions that a filter finds, page by page, with all that the server says of them."""
        request = pb.SearchModelVersionsRequest(filter=filter_, page_size=PAGE_SIZE)
        while True:
            answer = self._connection.call(lambda server: server.model_versions.SearchModelVersions(request))
            yield from answer.model_versions
            if not answer.next_page_token:
                return
            request.page_token = answer.next_page_token

    def changes(self, request: pb.ListChangesRequest) -> tuple[list[RegistryChange], int]:
        """Return changes and the number of the latest one of all."""
        answer = self._connection.call(lambda server: server.registered_models.ListChanges(request))
        return list(map(messages.change, answer.changes)), answer.latest_number

    def _get(self, request: pb.GetModelVersionRequest) -> pb.ModelVersion:
        return self._connection.call(
            lambda server: server.model_versions.GetModelVersion(request)
        ).model_version
