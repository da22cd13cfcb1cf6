"""Calls of the registry over the wire."""

from collections.abc import Sequence
from typing import Any

import grpc.aio
import pytest

from stepwell_api.v1 import registry_pb2 as pb
from stepwell_api.v1 import runs_pb2
from stepwell_api.v1.registry_pb2_grpc import ModelVersionServiceStub, RegisteredModelServiceStub


class Registry:
    """Short names for what tests ask."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.models_stub = RegisteredModelServiceStub(channel)
        self.versions_stub = ModelVersionServiceStub(channel)

    async def model(self, name: str = "m", **fields: Any) -> pb.RegisteredModel:
        """Create a registered model."""
        request = pb.CreateRegisteredModelRequest(name=name, **fields)
        return (await self.models_stub.CreateRegisteredModel(request)).registered_model

    async def get_model(self, name: str = "m") -> pb.RegisteredModel:
        """Return a registered model."""
        answer = await self.models_stub.GetRegisteredModel(pb.GetRegisteredModelRequest(name=name))
        return answer.registered_model

    async def update_model(self, name: str = "m", **fields: Any) -> pb.RegisteredModel:
        """Change a registered model."""
        request = pb.UpdateRegisteredModelRequest(name=name, **fields)
        return (await self.models_stub.UpdateRegisteredModel(request)).registered_model

    async def version(self, name: str = "m", source: str = "s3://bucket/m", **fields: Any) -> pb.ModelVersion:
        """Create a version."""
        request = pb.CreateModelVersionRequest(name=name, source=source, **fields)
        return (await self.versions_stub.CreateModelVersion(request)).model_version

    async def get(self, name: str = "m", **selector: Any) -> pb.ModelVersion:
        """Return a version."""
        request = pb.GetModelVersionRequest(name=name, **selector)
        return (await self.versions_stub.GetModelVersion(request)).model_version

    async def move(self, version: int, stage: str, name: str = "m", **fields: Any) -> pb.ModelVersion:
        """Move a version to a stage."""
        request = pb.TransitionStageRequest(name=name, version=version, stage=stage, **fields)
        return (await self.versions_stub.TransitionStage(request)).model_version

    async def alias(self, alias: str, version: int, name: str = "m", **fields: Any) -> None:
        """Set an alias."""
        await self.models_stub.SetAlias(pb.SetAliasRequest(name=name, alias=alias, version=version, **fields))

    async def latest(self, *stages: str, name: str = "m") -> list[tuple[str, int]]:
        """Return stages and numbers of the latest versions."""
        request = pb.GetLatestVersionsRequest(name=name, stages=stages)
        found = (await self.versions_stub.GetLatestVersions(request)).model_versions
        return [(version.stage, version.version) for version in found]

    async def models(self, filter_: str = "", *order_by: str, **fields: Any) -> list[str]:
        """Return the names of the models that a search finds, over all pages."""
        request = pb.SearchRegisteredModelsRequest(filter=filter_, order_by=order_by, **fields)
        names: list[str] = []
        while True:
            answer = await self.models_stub.SearchRegisteredModels(request)
            names += [model.name for model in answer.registered_models]
            if not answer.next_page_token:
                return names
            request.page_token = answer.next_page_token

    async def versions(self, filter_: str = "", *order_by: str, **fields: Any) -> list[tuple[str, int]]:
        """Return names and numbers of the versions that a search finds, over all pages."""
        request = pb.SearchModelVersionsRequest(filter=filter_, order_by=order_by, **fields)
        found: list[tuple[str, int]] = []
        while True:
            answer = await self.versions_stub.SearchModelVersions(request)
            found += [(version.name, version.version) for version in answer.model_versions]
            if not answer.next_page_token:
                return found
            request.page_token = answer.next_page_token

    async def changes(self, name: str = "", **fields: Any) -> Sequence[pb.RegistryChange]:
        """Return what changed, the oldest first."""
        request = pb.ListChangesRequest(name=name, oldest_first=True, **fields)
        return (await self.models_stub.ListChanges(request)).changes


def tags(**pairs: str) -> list[runs_pb2.Tag]:
    """Return tags as messages."""
    return [runs_pb2.Tag(key=key, value=value) for key, value in pairs.items()]


@pytest.fixture
def registry(channel: grpc.aio.Channel) -> Registry:
    return Registry(channel)
