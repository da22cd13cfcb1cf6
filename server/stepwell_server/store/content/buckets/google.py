"""Buckets of Google Cloud Storage: gs://<bucket>/<prefix>.

    <key>                       what is whole
    <key>.parts/<id>/00000      says that there is such an upload
    <key>.parts/<id>/00001 ...  its parts, each an object; clients send them by addresses that reach nothing else

The server composes parts inside of Google to a name for which there is no address, and only if nothing has that name.
A resumable session of Google's would spare that, but takes one byte after the other, and its address holds for a week
and for all of the object; those of parts end within minutes, and a token that is revoked gets no more of them.

Credentials come by Google's usual means: GOOGLE_APPLICATION_CREDENTIALS, `gcloud auth application-default login`, or
the service account of the machine. STORAGE_EMULATOR_HOST names another server that speaks Google's protocol.
"""

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote, urlencode, urlsplit
from uuid import uuid4

from obstore.store import GCSStore

from stepwell_server.errors import NotFoundError
from stepwell_server.model.artifacts import MIB, PartTag
from stepwell_server.store.content.buckets.bucket import HeldPart, Part
from stepwell_server.store.content.buckets.calls import Calls
from stepwell_server.store.content.buckets.cloud import Objects, connected, content_store
from stepwell_server.store.content.buckets.connections import Answer
from stepwell_server.store.content.buckets.google_tokens import Tokens
from stepwell_server.store.content.buckets.store import BucketContentStore

HOST = "https://storage.googleapis.com"
# What one call composes; of more parts, objects in between are made.
COMPOSED_MAX = 32
# Of a file that has more than COMPOSED_MAX parts whatever they are.
PART_BYTES_MAX = 64 * MIB
# Requests of one upload at once.
CALLS_AT_ONCE = 8
_GONE = frozenset({404, 412})
_BYTES = "application/octet-stream"


@asynccontextmanager
async def opened(root: str, address_lifetime_s: int) -> AsyncIterator[BucketContentStore]:
    """Open a bucket."""
    parts = urlsplit(root)
    emulator = os.environ.get("STORAGE_EMULATOR_HOST", "").rstrip("/")
    if emulator and "://" not in emulator:
        emulator = f"http://{emulator}"
    store = connected(GCSStore, parts.netloc, {"base_url": emulator} if emulator else {}, emulator)
    async with Calls("Google Cloud Storage") as calls:
        tokens = None if emulator else Tokens()
        prefix, host = parts.path.strip("/"), emulator or HOST
        bucket = GoogleBucket(parts.netloc, prefix, store, address_lifetime_s, calls, tokens, host)
        yield await content_store(bucket, root)


class GoogleBucket(Objects):
    """Implements `bucket.Bucket`."""

    def __init__(
        self,
        name: str,
        prefix: str,
        store: Any,
        address_lifetime_s: int,
        calls: Calls,
        tokens: Tokens | None,
        host: str = HOST,
    ) -> None:
        super().__init__("Google Cloud Storage", store, prefix, address_lifetime_s)
        self._objects = f"{host}/storage/v1/b/{quote(name, safe='')}/o"
        self._uploads = f"{host}/upload/storage/v1/b/{quote(name, safe='')}/o?uploadType=media"
        self._calls = calls
        self._tokens = tokens

    def part_bytes(self, size_bytes: int) -> int:
        """See `bucket.Bucket`. No more than one call composes, while what is sent again after a cut is not much."""
        composed_at_once = -(-size_bytes // (COMPOSED_MAX * MIB)) * MIB
        return max(super().part_bytes(size_bytes), min(composed_at_once, PART_BYTES_MAX))

    async def put(self, key: str, data: Part) -> None:
        """See `bucket.Bucket`. Over the interface with JSON, which emulators know better than the other one."""
        await self._ask("POST", f"{self._uploads}&name={quote(self._path(key), safe='')}", data, _BYTES)

    async def begin_parts(self, key: str, *, checked: bool = False, addressed: bool = True) -> str:
        """See `bucket.Bucket`."""
        name = uuid4().hex[:16]
        # Without it there is no such upload (any more): what arrives late begins none.
        await self.put(_part(key, name, 0), b"")
        return name

    async def multipart_ids(self, key: str) -> Sequence[str]:
        """See `bucket.Bucket`."""
        folder = f"{key}.parts/"
        return list(dict.fromkeys(name.split("/")[0] for name, _ in await self._listed(folder)))

    async def send_part(self, key: str, multipart_id: str, number: int, data: Part) -> PartTag:
        """See `bucket.Bucket`."""
        await self.put(_part(key, multipart_id, number), data)
        return PartTag(number, "")

    async def parts(self, key: str, multipart_id: str) -> Sequence[HeldPart] | None:
        """See `bucket.Bucket`."""
        listed = dict(await self._listed(_folder(key, multipart_id)))
        if listed.pop("00000", None) is None:
            return None
        return [listed[name] for name in sorted(listed) if name.isdigit()]

    async def part_urls(
        self, key: str, multipart_id: str, numbers: Sequence[int], sha256: Sequence[bytes] = ()
    ) -> Sequence[str]:
        """See `bucket.Bucket`."""
        return [await self.signed("PUT", _part(key, multipart_id, number)) for number in numbers]

    async def join_parts(self, key: str, multipart_id: str, parts: Sequence[HeldPart]) -> None:
        """See `bucket.Bucket`. Tags do not count: where owners have keys of their own, they are not the MD5."""
        names = [_part(key, multipart_id, part.tag.number) for part in parts]
        level = 0
        while len(names) > COMPOSED_MAX:
            level += 1
            groups = [names[at : at + COMPOSED_MAX] for at in range(0, len(names), COMPOSED_MAX)]
            targets = [f"{_folder(key, multipart_id)}level{level}-{at}" for at in range(len(groups))]
            await self._at_once([self._compose(*pair) for pair in zip(groups, targets, strict=True)])
            names = targets
        is_new = await self._compose(names, key, only_new=True)
        await self.abandon_parts(key, multipart_id)
        if not is_new:
            raise NotFoundError("Google Cloud Storage has put the parts together before")

    async def abandon_parts(self, key: str, multipart_id: str) -> None:
        """See `bucket.Bucket`."""
        folder = _folder(key, multipart_id)
        names = [name for name, _ in await self._listed(folder)]
        await self._at_once([self.delete(f"{folder}{name}") for name in names])

    async def _compose(self, sources: Sequence[str], target: str, *, only_new: bool = False) -> bool:
        """Make an object of others; tells whether it did, which it does not if it is there and `only_new`."""
        body = {
            "sourceObjects": [{"name": self._path(name)} for name in sources],
            "destination": {"contentType": _BYTES},
        }
        if only_new and await self.find(target):  # emulators do not look at the condition
            return False
        query = "?ifGenerationMatch=0" if only_new else ""
        address = f"{self._objects}/{quote(self._path(target), safe='')}/compose{query}"
        answer = await self._ask("POST", address, json.dumps(body).encode(), expected=_GONE)
        if answer.status == 404:
            raise NotFoundError("Google Cloud Storage does not have the parts any more")
        return answer.status < 300

    async def _listed(self, folder: str) -> Sequence[tuple[str, HeldPart]]:
        """Return what lies below a folder: names in it, and sizes with the MD5 of what was put as a whole."""
        prefix, found, token = self._path(folder), list[tuple[str, HeldPart]](), ""
        while True:
            query = {"prefix": prefix, "fields": "items(name,size,md5Hash),nextPageToken", "pageToken": token}
            address = f"{self._objects}?{urlencode({name: text for name, text in query.items() if text})}"
            page = json.loads((await self._ask("GET", address)).body)
            found += [(item["name"][len(prefix) :], _held(item)) for item in page.get("items", ())]
            token = page.get("nextPageToken", "")
            if not token:
                return found

    async def _ask(
        self,
        method: str,
        address: str,
        data: Part = b"",
        kind: str = "application/json",
        expected: frozenset[int] = frozenset(),
    ) -> Answer:
        async def allowed() -> tuple[str, Mapping[str, str]]:
            token = await self._tokens.headers() if self._tokens else {}
            return address, {**token, "Content-Type": kind}

        return await self._calls.call(method, allowed, data, expected)

    async def _at_once(self, calls: Sequence[Coroutine[Any, Any, Any]]) -> None:
        room = asyncio.Semaphore(CALLS_AT_ONCE)

        async def one(call: Coroutine[Any, Any, Any]) -> None:
            async with room:
                await call

        await asyncio.gather(*map(one, calls))


def _folder(key: str, multipart_id: str) -> str:
    return f"{key}.parts/{multipart_id}/"


def _part(key: str, multipart_id: str, number: int) -> str:
    return f"{_folder(key, multipart_id)}{number:05}"


def _held(item: Mapping[str, str]) -> HeldPart:
    name = item["name"].rpartition("/")[2]
    md5 = base64.b64decode(item.get("md5Hash", "")).hex()
    number = int(name) if name.isdigit() else 0
    return HeldPart(PartTag(number, md5), int(item.get("size", "0")))
