"""What buckets of Azure and Google have in common: whole objects go through obstore, which also signs addresses.

What obstore does not do (blocks that wait for others, objects made of parts) is asked of the cloud over HTTP, by
addresses that it signed or with a token.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Literal

import obstore
from obstore.exceptions import BaseError

from stepwell_server.errors import InvalidArgumentError, NotFoundError, UnavailableError
from stepwell_server.model.artifacts import Piece, part_bytes
from stepwell_server.process.joined import all_of
from stepwell_server.process.logger import get_logger
from stepwell_server.store.content.buckets.bucket import READ_BYTES_MAX, Bucket, Found, Part
from stepwell_server.store.content.buckets.calls import ATTEMPTS_MAX, told
from stepwell_server.store.content.buckets.connections import (
    CONNECT_TIMEOUT_S,
    CONNECTIONS_MAX,
    READ_TIMEOUT_S,
)
from stepwell_server.store.content.buckets.rereading import hashed_in_pieces
from stepwell_server.store.content.buckets.store import BucketContentStore

# What asking a cloud for a signature may take before it counts as one that gives none.
SIGNING_S_MAX = 10
SIGNERS_AT_ONCE = 16

CLIENT_OPTIONS = {
    "connect_timeout": timedelta(seconds=CONNECT_TIMEOUT_S),
    "read_timeout": timedelta(seconds=READ_TIMEOUT_S),
    # Of a whole request, so of the largest object; silence ends it before.
    "timeout": timedelta(days=7),
    "pool_max_idle_per_host": str(CONNECTIONS_MAX),
}
RETRIES = {"max_retries": ATTEMPTS_MAX - 1, "retry_timeout": timedelta(seconds=READ_TIMEOUT_S)}

log = get_logger(__name__)


def connected(kind: Any, name: str, config: Mapping[str, str], address: str) -> Any:
    """Return a store of obstore, whose own server may have an `address`.

    Raises:
        InvalidArgumentError: the environment does not say what it has to.
    """
    options = {**CLIENT_OPTIONS, "allow_http": address.startswith("http:")}
    try:
        return kind(name, config=config, client_options=options, retry_config=RETRIES)
    except BaseError as error:
        raise InvalidArgumentError(f"{name} cannot be used as the server is set up: {told(error)}") from None


async def content_store(bucket: Bucket, root: str) -> BucketContentStore:
    """Return the store of a bucket. Where no addresses can be signed, bytes go through the server."""
    try:
        async with asyncio.timeout(SIGNING_S_MAX):
            await bucket.get_urls(["any"])
    except (UnavailableError, TimeoutError) as error:
        why = str(error) or f"nothing came in {SIGNING_S_MAX} s"
        log.warning("no addresses can be signed; artifacts go through the server", place=root, why=why)
        return BucketContentStore(bucket, signs=False)
    return BucketContentStore(bucket)


class Objects:
    """Whole objects of a bucket below a prefix, through a store of obstore."""

    checks_sha256 = False

    def __init__(self, cloud: str, store: Any, prefix: str, address_lifetime_s: int) -> None:
        self._cloud = cloud
        self._store = store
        self._prefix = prefix
        self._lifetime = timedelta(seconds=address_lifetime_s)

    def part_bytes(self, size_bytes: int) -> int:
        """See `bucket.Bucket`."""
        return part_bytes(size_bytes)

    async def find(self, key: str, sha256: bytes = b"") -> Found | None:
        """See `bucket.Bucket`: neither cloud knows the SHA-256 of an object."""
        try:
            with self._translated():
                return Found((await obstore.head_async(self._store, self._path(key)))["size"])
        except NotFoundError:
            return None

    async def put(self, key: str, data: Part) -> None:
        """See `bucket.Bucket`."""
        try:
            with self._translated():
                await obstore.put_async(self._store, self._path(key), data, use_multipart=False)
        except NotFoundError as error:
            raise UnavailableError(str(error)) from None

    async def read(self, key: str, offset: int) -> AsyncIterator[Piece]:
        """See `bucket.Bucket`."""
        with self._translated():
            options: Any = {"range": {"offset": offset}} if offset else None
            answer = await obstore.get_async(self._store, self._path(key), options=options)
            async for chunk in answer.stream(min_chunk_size=READ_BYTES_MAX):
                view = memoryview(chunk)
                for start in range(0, len(view), READ_BYTES_MAX):
                    yield view[start : start + READ_BYTES_MAX]

    async def hashed(self, key: str, size_bytes: int) -> tuple[int, bytes]:
        """See `bucket.Bucket`."""
        return await hashed_in_pieces(self.read(key, 0), size_bytes)

    async def delete(self, key: str) -> None:
        """See `bucket.Bucket`."""
        try:
            with self._translated():
                await obstore.delete_async(self._store, self._path(key))
        except NotFoundError:
            return

    async def get_urls(self, keys: Sequence[str]) -> Sequence[str]:
        """See `bucket.Bucket`."""
        # Many in one call, as each is handed to threads and back; several calls, as Google may be asked each time.
        count = -(-len(keys) // SIGNERS_AT_ONCE) or 1
        groups = [keys[start : start + count] for start in range(0, len(keys), count)]

        async def sign(group: Sequence[str]) -> Sequence[str]:
            paths = [self._path(key) for key in group]
            return await obstore.sign_async(self._store, "GET", paths, self._lifetime)

        with self._translated():
            signed = await all_of([sign(group) for group in groups])
        return [url for urls in signed for url in urls]

    async def signed(self, method: Literal["GET", "PUT", "DELETE"], key: str) -> str:
        """Return an address of an object that is valid for one method."""
        with self._translated():
            return await obstore.sign_async(self._store, method, self._path(key), self._lifetime)

    def _path(self, key: str) -> str:
        return f"{self._prefix}/{key}".removeprefix("/")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn what obstore raises into errors of the domain."""
        try:
            yield
        except FileNotFoundError as error:
            raise NotFoundError(f"{self._cloud} does not have it: {told(error)}") from None
        except (BaseError, OSError) as error:
            raise UnavailableError(
                f"{self._cloud} cannot do it now: {told(error)}; check the bucket's name and the server's credentials"
            ) from None
