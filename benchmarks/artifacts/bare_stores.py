"""Bare programs beside which artifacts are measured: the library of each place alone, nothing checked or flushed.

With buckets, parts at once up and ranges at once down, of the size and number that Stepwell's client has. Up to Google
it is plain HTTP, because its stand-in does not know the interface that obstore uploads by; `googles` is the library
that Google publishes, which sends pieces to one resumable session, in an environment of its own.
"""

# ruff: noqa: ASYNC230, ASYNC240 - they read files as simply as they can

import asyncio
import json
import os
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks.compare.peers import environment_at

PART_BYTES = 16 * 2**20
PARTS_AT_ONCE = 4
SMALL_AT_ONCE = 32
_NO_LIMIT = timedelta(days=1)

# Store one file, and fetch it.
Put = Callable[[str, bytes], Awaitable[None]]
Get = Callable[[str], Awaitable[Any]]
# What carries a file up, and down.
LIBRARIES = {
    "s3": ("aiobotocore", "aiobotocore"),
    "s3-no-md5": ("aiobotocore", "aiobotocore"),
    "azure": ("obstore", "obstore"),
    "gcs": ("http", "obstore"),
    "sftp": ("asyncssh", "asyncssh"),
    "openssh": ("asyncssh", "asyncssh"),
}


def bare(kind: str, root: str, environment: dict[str, str], source: str, target: str) -> dict[str, float]:
    """Send a file to a place and fetch it again; returns the seconds of both."""
    os.environ.update(environment)
    if kind in ("sftp", "openssh"):
        return asyncio.run(_sftp(root, source, target))
    work = {"s3": _s3, "s3-no-md5": _s3, "azure": _azure, "gcs": _google}[kind]
    return asyncio.run(work(root.partition("://")[2], source, target))


def googles(root: str, environment: dict[str, str], source: str, target: str) -> dict[str, float]:
    """Send a file by Google's own library and fetch it again; returns the seconds of both."""
    program = Path(__file__).with_name("google_library.py")
    command = [environment_at("google") / "bin/python", program, root.partition("://")[2], source, target]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, env={**os.environ, **environment})
    seconds: dict[str, float] = json.loads(answer.stdout)
    return seconds


def bare_small(
    kind: str, root: str, environment: dict[str, str], folder: str, target: str
) -> dict[str, float]:
    """Send the files of a folder, SMALL_AT_ONCE at once, and fetch them again; returns the seconds of both."""
    os.environ.update(environment)
    openers = {"s3": _small_s3, "s3-no-md5": _small_s3, "azure": _small_azure, "gcs": _small_google}
    return asyncio.run(_small(openers.get(kind, _small_sftp)(root), folder, target))


async def _small(
    opened: AbstractAsyncContextManager[tuple[Put, Get]], folder: str, target: str
) -> dict[str, float]:
    room = asyncio.Semaphore(SMALL_AT_ONCE)
    sources, into = list(Path(folder).iterdir()), Path(target)
    into.mkdir()
    async with opened as (put, get):

        async def send(path: Path) -> None:
            async with room:
                await put(path.name, path.read_bytes())

        async def fetch(path: Path) -> None:
            async with room:
                (into / path.name).write_bytes(await get(path.name))

        started = time.perf_counter()
        await asyncio.gather(*map(send, sources))
        logged = time.perf_counter()
        await asyncio.gather(*map(fetch, sources))
        return {"upload_s": logged - started, "download_s": time.perf_counter() - logged}


@asynccontextmanager
async def _small_s3(root: str) -> AsyncIterator[tuple[Put, Get]]:
    from aiobotocore.session import get_session

    async with get_session().create_client("s3") as s3:

        async def put(name: str, data: bytes) -> None:
            await s3.put_object(Bucket=root.partition("://")[2], Key=f"bare/{name}", Body=data)

        async def get(name: str) -> Any:
            answer = await s3.get_object(Bucket=root.partition("://")[2], Key=f"bare/{name}")
            return await answer["Body"].read()

        yield put, get


@asynccontextmanager
async def _small_azure(root: str) -> AsyncIterator[tuple[Put, Get]]:
    import obstore

    store = _container(root.partition("://")[2])

    async def put(name: str, data: bytes) -> None:
        await obstore.put_async(store, f"bare/{name}", data)

    yield put, _whole(store, "bare/")


@asynccontextmanager
async def _small_google(root: str) -> AsyncIterator[tuple[Put, Get]]:
    import aiohttp

    bucket = root.partition("://")[2]
    async with aiohttp.ClientSession() as session:

        async def put(name: str, data: bytes) -> None:
            await _post(session, bucket, f"bare-{name}", data)

        yield put, _whole(_google_bucket(bucket), "bare-")


def _whole(store: Any, prefix: str) -> Get:
    import obstore

    async def get(name: str) -> Any:
        return await (await obstore.get_async(store, f"{prefix}{name}")).bytes_async()

    return get


@asynccontextmanager
async def _small_sftp(root: str) -> AsyncIterator[tuple[Put, Get]]:
    """Opened, written and closed; nothing is flushed or moved."""
    async with _sftp_client(root) as (sftp, folder):

        async def put(name: str, data: bytes) -> None:
            async with sftp.open(f"{folder}/{name}", "wb") as file:
                await file.write(data)

        async def get(name: str) -> Any:
            async with sftp.open(f"{folder}/{name}", "rb") as file:
                return await file.read()

        yield put, get


@asynccontextmanager
async def _sftp_client(root: str) -> AsyncIterator[tuple[Any, str]]:
    import asyncssh

    from stepwell_server.store.content.sftp.addresses import parse

    at = parse(f"{root}/bare")
    async with (
        asyncssh.connect(at.host, at.port, username=at.user) as connection,
        connection.start_sftp_client() as sftp,
    ):
        await sftp.makedirs(at.path, exist_ok=True)
        yield sftp, at.path


async def _s3(bucket: str, source: str, target: str) -> dict[str, float]:
    from aiobotocore.session import get_session

    async with get_session().create_client("s3") as s3:
        name = {"Bucket": bucket, "Key": f"bare-{time.time_ns()}"}
        upload = {**name, "UploadId": (await s3.create_multipart_upload(**name))["UploadId"]}

        async def send(start: int) -> dict[str, Any]:
            number = start // PART_BYTES + 1
            answer = await s3.upload_part(**upload, PartNumber=number, Body=_part(source, start))
            return {"PartNumber": number, "ETag": answer["ETag"]}

        async def put() -> None:
            parts = await _at_once(source, send)
            await s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})

        async def read(start: int, end: int) -> bytes:
            answer = await s3.get_object(**name, Range=f"bytes={start}-{end - 1}")
            data: bytes = await answer["Body"].read()
            return data

        return await _timed(source, target, put, read, lambda: s3.delete_object(**name))


async def _sftp(root: str, source: str, target: str) -> dict[str, float]:
    """As asyncssh's `put` and `get` do it."""
    async with _sftp_client(root) as (sftp, folder):
        remote = f"{folder}/{time.time_ns()}"
        started = time.perf_counter()
        await sftp.put(source, remote)
        logged = time.perf_counter()
        await sftp.get(remote, target)
        fetched = time.perf_counter()
        await sftp.remove(remote)
    return {"upload_s": logged - started, "download_s": fetched - logged}


async def _azure(container: str, source: str, target: str) -> dict[str, float]:
    import obstore

    store, key = _container(container), f"bare-{time.time_ns()}"

    async def put() -> None:
        path = Path(source)
        await obstore.put_async(store, key, path, chunk_size=PART_BYTES, max_concurrency=PARTS_AT_ONCE)

    return await _timed(source, target, put, _ranges(store, key), lambda: obstore.delete_async(store, key))


async def _google(bucket: str, source: str, target: str) -> dict[str, float]:
    import aiohttp
    import obstore

    key, store = f"bare-{time.time_ns()}", _google_bucket(bucket)

    async def put() -> None:
        async with aiohttp.ClientSession() as session:
            with Path(source).open("rb") as file:
                await _post(session, bucket, key, file)

    return await _timed(source, target, put, _ranges(store, key), lambda: obstore.delete_async(store, key))


def _google_bucket(name: str) -> Any:
    from obstore.store import GCSStore

    host = os.environ["STORAGE_EMULATOR_HOST"]
    return GCSStore(
        name, config={"base_url": host}, client_options={"allow_http": True, "timeout": _NO_LIMIT}
    )


async def _post(session: Any, bucket: str, name: str, data: Any) -> None:
    host = os.environ["STORAGE_EMULATOR_HOST"]
    url = f"{host}/upload/storage/v1/b/{bucket}/o?uploadType=media&name={name}"
    async with session.post(url, data=data, headers={"Content-Type": "application/octet-stream"}) as answer:
        answer.raise_for_status()


def _container(container: str) -> Any:
    from obstore.store import AzureStore

    said = dict(part.split("=", 1) for part in os.environ["AZURE_STORAGE_CONNECTION_STRING"].split(";"))
    config = {
        "account_name": said["AccountName"],
        "account_key": said["AccountKey"],
        "endpoint": said["BlobEndpoint"],
    }
    return AzureStore(
        container,
        config=config,
        client_options={"allow_http": True, "timeout": _NO_LIMIT},  # type: ignore[arg-type]
    )


def _ranges(store: Any, key: str) -> Callable[[int, int], Awaitable[Any]]:
    import obstore

    async def read(start: int, end: int) -> Any:
        return await obstore.get_range_async(store, key, start=start, end=end)

    return read


async def _timed(
    source: str,
    target: str,
    put: Callable[[], Awaitable[None]],
    read: Callable[[int, int], Awaitable[Any]],
    remove: Callable[[], Awaitable[Any]],
) -> dict[str, float]:
    """Measure both ways; then the object goes, to save room."""
    started = time.perf_counter()
    await put()
    logged = time.perf_counter()
    size = Path(source).stat().st_size
    with Path(target).open("wb") as file:

        async def fetch(start: int) -> None:
            os.pwrite(file.fileno(), await read(start, min(start + PART_BYTES, size)), start)

        await _at_once(source, fetch)
    fetched = time.perf_counter()
    await remove()
    return {"upload_s": logged - started, "download_s": fetched - logged}


async def _at_once(source: str, work: Callable[[int], Awaitable[Any]]) -> list[Any]:
    """Do something for each part of a file, some at once; returns what came of it, in order."""
    room = asyncio.Semaphore(PARTS_AT_ONCE)

    async def one(start: int) -> Any:
        async with room:
            return await work(start)

    return await asyncio.gather(*map(one, range(0, Path(source).stat().st_size, PART_BYTES)))


def _part(source: str, start: int) -> bytes:
    with Path(source).open("rb") as file:
        file.seek(start)
        return file.read(PART_BYTES)
