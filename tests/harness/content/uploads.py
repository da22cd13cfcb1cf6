"""Files over the wire: a server and where it keeps bytes, and calls of ArtifactService as tests make them."""

import hashlib
import urllib.request
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import grpc
import grpc.aio

from stepwell_api.v1 import artifacts_pb2 as pb
from stepwell_api.v1 import runs_pb2
from stepwell_api.v1.artifacts_pb2_grpc import ArtifactServiceStub
from stepwell_api.v1.runs_pb2_grpc import RunServiceStub
from stepwell_server.app import RunningServer, running_server
from stepwell_server.config import Config
from tests.harness.content.files import files_below
from tests.harness.content.s3 import S3Server

MIB = 1024 * 1024
STOP_S = 5.0


class Place:
    """Where a server keeps bytes, and what lies there."""

    def __init__(self, folder: Path, artifacts: str | None, s3: S3Server | None) -> None:
        self.folder = folder
        self.artifacts = artifacts
        self.s3 = s3

    def files(self) -> list[Path]:
        """Return what lies there."""
        return files_below(self.folder)


@asynccontextmanager
async def serving(
    database_url: str, place: Place, tmp_path: Path, **settings: float
) -> AsyncIterator[RunningServer]:
    """Run a server that keeps bytes in a place."""
    config = Config(
        port=0,
        store=database_url,
        data=tmp_path / "data",
        artifacts=place.artifacts,
        shutdown_grace_s=STOP_S,
        **settings,
    )
    async with running_server(config) as running:
        yield running


async def create_run(channel: grpc.aio.Channel, experiment_id: int = 0) -> str:
    """Return the id of a new run."""
    spec = runs_pb2.RunSpec(run_id=uuid4().hex, experiment_id=experiment_id)
    return (await RunServiceStub(channel).CreateRun(runs_pb2.CreateRunRequest(spec=spec))).run.info.run_id


def spec_of(path: str, data: bytes) -> pb.UploadSpec:
    """Announce a file."""
    return pb.UploadSpec(path=path, size_bytes=len(data), sha256=hashlib.sha256(data).digest())


async def begin(
    stub: ArtifactServiceStub, run_id: str, path: str, data: bytes, direct: bool = False
) -> pb.UploadPlan:
    """Begin to log a file, and return how it is to be sent."""
    request = pb.BeginUploadsRequest(run_id=run_id, files=[spec_of(path, data)], direct=direct)
    return (await stub.BeginUploads(request)).plans[0]


def messages(
    run_id: str, upload_id: str, data: bytes, offset: int = 0, piece: int = MIB
) -> Sequence[pb.UploadRequest]:
    """Return what an upload through the server sends."""
    first = pb.UploadRequest(run_id=run_id, upload_id=upload_id, offset_bytes=offset)
    return [first, *(pb.UploadRequest(data=data[at : at + piece]) for at in range(offset, len(data), piece))]


async def complete(
    stub: ArtifactServiceStub, run_id: str, upload_id: str, parts: Sequence[pb.PartTag] = ()
) -> None:
    """End an upload."""
    finished = pb.FinishedUpload(upload_id=upload_id, parts=parts)
    await stub.CompleteUploads(pb.CompleteUploadsRequest(run_id=run_id, uploads=[finished]))


async def log(stub: ArtifactServiceStub, run_id: str, path: str, data: bytes) -> pb.UploadPlan:
    """Log a file through the server."""
    plan = await begin(stub, run_id, path, data)
    if plan.upload_id:
        await stub.Upload(iter(messages(run_id, plan.upload_id, data)))
        await complete(stub, run_id, plan.upload_id)
    return plan


async def read(stub: ArtifactServiceStub, run_id: str, path: str, offset: int = 0) -> bytes:
    """Return a file's bytes from an offset on."""
    request = pb.DownloadRequest(run_id=run_id, path=path, offset_bytes=offset)
    return b"".join([piece.data async for piece in stub.Download(request)])


async def listing(
    stub: ArtifactServiceStub, run_id: str, path: str = "", size: int = 0, recursive: bool = False
) -> list[str]:
    """Return the paths of all pages of a listing, folders with a slash behind."""
    names, token = [], ""
    while True:
        page = await stub.ListArtifacts(
            pb.ListArtifactsRequest(
                run_id=run_id, path=path, page_size=size, page_token=token, recursive=recursive
            )
        )
        names += [found.path + ("/" if found.is_folder else "") for found in page.artifacts]
        token = page.next_page_token
        if not token:
            return names


async def sign(
    stub: ArtifactServiceStub, run_id: str, plan: pb.UploadPlan, numbers: Sequence[int]
) -> Sequence[str]:
    """Return addresses of parts."""
    request = pb.SignPartsRequest(run_id=run_id, upload_id=plan.upload_id, numbers=numbers)
    return (await stub.SignParts(request)).urls


def put(url: str, data: bytes) -> str:
    """Put bytes at an address, and return the tag that the bucket gives them."""
    request = urllib.request.Request(url, data=data, method="PUT")
    with urllib.request.urlopen(request) as answer:
        return answer.headers["ETag"].strip('"')
