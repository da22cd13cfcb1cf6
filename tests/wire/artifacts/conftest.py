"""ArtifactService on a folder and on a real S3 server."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import grpc
import grpc.aio
import pytest

from stepwell_api.v1.artifacts_pb2_grpc import ArtifactServiceStub
from stepwell_server.app import RunningServer
from stepwell_server.services.content import sweeper
from tests.harness.content.s3 import BUCKET, S3Server, s3_server
from tests.harness.content.uploads import Place, create_run, serving


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    if request.param == "folder":
        return Place(tmp_path / "data" / "artifacts", None, None)
    s3 = request.getfixturevalue("s3")
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    prefix = uuid4().hex
    return Place(s3.folder / BUCKET / prefix, f"s3://{BUCKET}/{prefix}", s3)


@pytest.fixture
def sweeps_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the server remove what is left over within a moment, where it does so within a minute."""
    monkeypatch.setattr(sweeper, "SWEEP_INTERVAL_S", 0.1)


@pytest.fixture
async def server(database_url: str, place: Place, tmp_path: Path) -> AsyncIterator[RunningServer]:
    async with serving(database_url, place, tmp_path) as running:
        yield running


@pytest.fixture
async def artifacts(channel: grpc.aio.Channel) -> ArtifactServiceStub:
    return ArtifactServiceStub(channel)


@pytest.fixture
async def run_id(channel: grpc.aio.Channel) -> str:
    return await create_run(channel)
