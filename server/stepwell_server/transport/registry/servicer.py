"""The services of registry.proto on the wire: check, call, map, answer."""

from typing import Any

from stepwell_api.v1 import registry_pb2 as pb
from stepwell_api.v1 import registry_pb2_grpc
from stepwell_server.errors import InvalidArgumentError
from stepwell_server.model.registry import ChangesWanted
from stepwell_server.services.registry.models import RegisteredModelService
from stepwell_server.services.registry.versions import ModelVersionService
from stepwell_server.transport.mapping import parse_tags
from stepwell_server.transport.registry.mapping import (
    change_to_proto,
    model_change_from_proto,
    model_spec_from_proto,
    model_to_proto,
    parse_author,
    parse_expected,
    parse_kinds,
    stage_move_from_proto,
    version_spec_from_proto,
    version_to_proto,
)


class RegisteredModelServicer(registry_pb2_grpc.RegisteredModelServiceServicer):
    """Answers the calls of `RegisteredModelService` in registry.proto."""

    def __init__(self, models: RegisteredModelService) -> None:
        self._models = models

    async def CreateRegisteredModel(  # noqa: N802
        self, request: pb.CreateRegisteredModelRequest, context: Any
    ) -> pb.CreateRegisteredModelResponse:
        """Create a registered model."""
        spec = model_spec_from_proto(request)
        created = await self._models.create(spec, parse_author(request.author))
        return pb.CreateRegisteredModelResponse(registered_model=model_to_proto(created))

    async def GetRegisteredModel(  # noqa: N802
        self, request: pb.GetRegisteredModelRequest, context: Any
    ) -> pb.GetRegisteredModelResponse:
        """Return a registered model."""
        found = await self._models.get(request.name)
        return pb.GetRegisteredModelResponse(registered_model=model_to_proto(found))

    async def UpdateRegisteredModel(  # noqa: N802
        self, request: pb.UpdateRegisteredModelRequest, context: Any
    ) -> pb.UpdateRegisteredModelResponse:
        """Change a registered model."""
        change = model_change_from_proto(request)
        updated = await self._models.update(request.name, change, parse_author(request.author))
        return pb.UpdateRegisteredModelResponse(registered_model=model_to_proto(updated))

    async def DeleteRegisteredModelTag(  # noqa: N802
        self, request: pb.DeleteRegisteredModelTagRequest, context: Any
    ) -> pb.DeleteRegisteredModelTagResponse:
        """Remove a tag."""
        await self._models.delete_tag(request.name, request.key, parse_author(request.author))
        return pb.DeleteRegisteredModelTagResponse()

    async def DeleteRegisteredModel(  # noqa: N802
        self, request: pb.DeleteRegisteredModelRequest, context: Any
    ) -> pb.DeleteRegisteredModelResponse:
        """Delete a registered model."""
        await self._models.delete(request.name, parse_author(request.author))
        return pb.DeleteRegisteredModelResponse()

    async def SearchRegisteredModels(  # noqa: N802
        self, request: pb.SearchRegisteredModelsRequest, context: Any
    ) -> pb.SearchRegisteredModelsResponse:
        """Return a page of registered models."""
        found, next_page_token = await self._models.search(
            request.filter, list(request.order_by), request.page_size, request.page_token
        )
        return pb.SearchRegisteredModelsResponse(
            registered_models=map(model_to_proto, found), next_page_token=next_page_token
        )

    async def SetAlias(  # noqa: N802
        self, request: pb.SetAliasRequest, context: Any
    ) -> pb.SetAliasResponse:
        """Let an alias stand for a version."""
        expected = parse_expected(request, "expect_version")
        await self._models.set_alias(
            request.name, request.alias, request.version, expected, parse_author(request.author)
        )
        return pb.SetAliasResponse()

    async def DeleteAlias(  # noqa: N802
        self, request: pb.DeleteAliasRequest, context: Any
    ) -> pb.DeleteAliasResponse:
        """Remove an alias."""
        await self._models.delete_alias(request.name, request.alias, parse_author(request.author))
        return pb.DeleteAliasResponse()

    async def ListChanges(  # noqa: N802
        self, request: pb.ListChangesRequest, context: Any
    ) -> pb.ListChangesResponse:
        """Return what changed."""
        wanted = ChangesWanted(
            name=request.name,
            version=request.version if request.HasField("version") else None,
            kinds=parse_kinds(request.kinds),
            position=request.position,
            oldest_first=request.oldest_first,
            limit=request.limit,
        )
        changes, latest_number = await self._models.changes(wanted)
        return pb.ListChangesResponse(changes=map(change_to_proto, changes), latest_number=latest_number)


class ModelVersionServicer(registry_pb2_grpc.ModelVersionServiceServicer):
    """Answers the calls of `ModelVersionService` in registry.proto."""

    def __init__(self, versions: ModelVersionService) -> None:
        self._versions = versions

    async def CreateModelVersion(  # noqa: N802
        self, request: pb.CreateModelVersionRequest, context: Any
    ) -> pb.CreateModelVersionResponse:
        """Create a version."""
        spec = version_spec_from_proto(request)
        created = await self._versions.create(spec, parse_author(request.author))
        return pb.CreateModelVersionResponse(model_version=version_to_proto(created))

    async def GetModelVersion(  # noqa: N802
        self, request: pb.GetModelVersionRequest, context: Any
    ) -> pb.GetModelVersionResponse:
        """Return a version."""
        match request.WhichOneof("selector"):
            case "version":
                found = await self._versions.get(request.name, request.version)
            case "alias":
                found = await self._versions.get_by_alias(request.name, request.alias)
            case _:
                raise InvalidArgumentError("set version or alias to say which version")
        return pb.GetModelVersionResponse(model_version=version_to_proto(found))

    async def UpdateModelVersion(  # noqa: N802
        self, request: pb.UpdateModelVersionRequest, context: Any
    ) -> pb.UpdateModelVersionResponse:
        """Change a version."""
        updated = await self._versions.update(
            request.name,
            request.version,
            request.description if request.HasField("description") else None,
            parse_tags(request.tags),
            parse_author(request.author),
        )
        return pb.UpdateModelVersionResponse(model_version=version_to_proto(updated))

    async def DeleteModelVersionTag(  # noqa: N802
        self, request: pb.DeleteModelVersionTagRequest, context: Any
    ) -> pb.DeleteModelVersionTagResponse:
        """Remove a tag of a version."""
        await self._versions.delete_tag(
            request.name, request.version, request.key, parse_author(request.author)
        )
        return pb.DeleteModelVersionTagResponse()

    async def DeleteModelVersion(  # noqa: N802
        self, request: pb.DeleteModelVersionRequest, context: Any
    ) -> pb.DeleteModelVersionResponse:
        """Delete a version."""
        await self._versions.delete(request.name, request.version, parse_author(request.author))
        return pb.DeleteModelVersionResponse()

    async def SearchModelVersions(  # noqa: N802
        self, request: pb.SearchModelVersionsRequest, context: Any
    ) -> pb.SearchModelVersionsResponse:
        """Return a page of versions."""
        found, next_page_token = await self._versions.search(
            request.filter, list(request.order_by), request.page_size, request.page_token
        )
        return pb.SearchModelVersionsResponse(
            model_versions=map(version_to_proto, found), next_page_token=next_page_token
        )

    async def TransitionStage(  # noqa: N802
        self, request: pb.TransitionStageRequest, context: Any
    ) -> pb.TransitionStageResponse:
        """Move a version to a stage."""
        move = stage_move_from_proto(request)
        moved = await self._versions.move(move, parse_author(request.author))
        return pb.TransitionStageResponse(model_version=version_to_proto(moved))

    async def GetLatestVersions(  # noqa: N802
        self, request: pb.GetLatestVersionsRequest, context: Any
    ) -> pb.GetLatestVersionsResponse:
        """Return the latest version of each stage."""
        found = await self._versions.latest(request.name, list(request.stages))
        return pb.GetLatestVersionsResponse(model_versions=map(version_to_proto, found))
