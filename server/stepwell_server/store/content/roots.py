"""Where content can be: the roots, and one store for each.

| root             | where                                                                   |
|------------------|-------------------------------------------------------------------------|
| data:artifacts   | folder `artifacts` in the server's data folder; moves with it           |
| file:///folder   | a folder of the operator's choice                                       |
| s3://bucket/name | a bucket, below a prefix                                                |

Rows name the root of their content, so a change of `--artifacts` leaves older artifacts where they are, and readable.
"""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self
from urllib.parse import quote, unquote, urlsplit
from uuid import UUID

from stepwell_server.errors import InvalidArgumentError, StartupError
from stepwell_server.store.content.folder import FolderContentStore
from stepwell_server.store.ports.artifacts import ContentStore
from stepwell_server.store.tracking.experiments import ARTIFACT_ROOT

DATA_ROOT = "data:artifacts"
S3_MISSING = "this server has no support for S3; install it with: pip install 'stepwell[s3]'"


class OpenContentStores:
    """Implements `artifact_ports.ContentStores`. Stores are opened when they are first needed.

    Args:
        data: the server's data folder.
        default: the root of experiments that have no location of their own.
        folders: folders in which experiments may have a location of their own.
        address_lifetime_s: how long a presigned address is valid.
    """

    def __init__(
        self, data: Path, default: str, folders: Sequence[str] = (), address_lifetime_s: int = 3_600
    ) -> None:
        self._data = data
        self._default = default
        self._folders = folders
        self._address_lifetime_s = address_lifetime_s
        self._stores: dict[str, ContentStore] = {}
        self._lock = asyncio.Lock()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self.open(self._default)
        except InvalidArgumentError as error:
            raise StartupError(str(error)) from error
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    def root_of(self, artifact_uri: str) -> str:
        """See `artifact_ports.ContentStores`."""
        location = without_run(artifact_uri)
        if location.startswith(ARTIFACT_ROOT):
            return self._default
        match urlsplit(location).scheme:
            case "s3":
                return s3_root(location)
            case "file":
                return self._folder_root(location)
            case _:
                raise InvalidArgumentError(
                    f"the artifact location {location!r} of the experiment cannot be used by this server: use "
                    "s3://bucket/prefix, file:///folder where the operator allows it, or none for the server's default"
                )

    async def open(self, root: str) -> ContentStore:
        """See `artifact_ports.ContentStores`."""
        async with self._lock:
            if root not in self._stores:
                self._stores[root] = await self._open(root)
            return self._stores[root]

    async def _open(self, root: str) -> ContentStore:
        if root.startswith("s3://"):
            return await self._open_bucket(root)
        folder = self._data / "artifacts" if root == DATA_ROOT else Path(unquote(urlsplit(root).path))
        store = FolderContentStore(folder)
        self._stack.callback(store.close)
        return store

    async def _open_bucket(self, root: str) -> ContentStore:
        try:
            # A part of the server that is installed only where it is wanted.
            from stepwell_server.store.content.s3 import S3Client, S3ContentStore
        except ModuleNotFoundError as missing:
            raise InvalidArgumentError(S3_MISSING) from missing
        client = await self._stack.enter_async_context(S3Client(self._address_lifetime_s))
        return S3ContentStore(root, client)

    def _folder_root(self, location: str) -> str:
        folder = Path(unquote(urlsplit(location).path)).resolve()
        if not any(folder.is_relative_to(Path(allowed).resolve()) for allowed in self._folders):
            raise InvalidArgumentError(
                f"the artifact location {location!r} of the experiment is not in a folder that this server allows; "
                "start it with --artifact-folder, or use another location"
            )
        return folder_root(folder)


def default_root(setting: str | None) -> str:
    """Return the root for the option `--artifacts`: none, s3://bucket/prefix, or a folder."""
    if not setting:
        return DATA_ROOT
    if setting.startswith("s3:"):
        return s3_root(setting)
    return folder_root(Path(unquote(urlsplit(setting).path) if setting.startswith("file:") else setting))


def folder_root(folder: Path) -> str:
    """Return the root of a folder."""
    return f"file://{quote(str(folder.resolve()))}"


def s3_root(location: str) -> str:
    """Return the root of a bucket's prefix.

    Raises:
        InvalidArgumentError: it is not s3://bucket or s3://bucket/prefix.
    """
    parts = urlsplit(location)
    if not parts.netloc or parts.query or parts.fragment or not location.startswith("s3://"):
        raise InvalidArgumentError(f"{location!r} names no bucket; the form is s3://bucket/prefix")
    return f"s3://{parts.netloc}/{parts.path.strip('/')}".rstrip("/")


def without_run(artifact_uri: str) -> str:
    """Return the location of the experiment from the URI of its run: without /<run id>/artifacts."""
    location, _, run_id = artifact_uri.removesuffix("/artifacts").rpartition("/")
    UUID(hex=run_id)  # a run's URI always ends so; see store/tracking/runs.py
    return location
