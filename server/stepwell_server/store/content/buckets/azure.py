"""Containers of Azure's Blob Storage: az://<container>/<prefix>, or wasbs://<container>@<host>/<prefix>.

    <key>             what is whole
    <key>.parts-<id>  blocks that clients send, by addresses that reach nothing else

Blocks wait, invisible, until the server puts them together; what clients have sent it then copies, inside of Azure, to
a name for which there is no address, and only if nothing has that name.

The account comes with the location, from AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT(_NAME); credentials
from the connection string, AZURE_STORAGE_ACCOUNT_KEY (or _ACCESS_KEY, _KEY), or by the means of Azure's own programs:
AZURE_CLIENT_ID and so on, a federated token, a managed identity, AZURE_USE_AZURE_CLI=true.
"""

import asyncio
import base64
import os
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal
from urllib.parse import quote, urlsplit
from uuid import uuid4

from obstore.store import AzureStore

from stepwell_server.errors import InvalidArgumentError, NotFoundError, UnavailableError
from stepwell_server.model.artifacts import SHA256_BYTES, PartTag
from stepwell_server.store.content.buckets.bucket import HeldPart, Part
from stepwell_server.store.content.buckets.calls import Calls
from stepwell_server.store.content.buckets.cloud import Objects, connected, content_store
from stepwell_server.store.content.buckets.connections import Answer
from stepwell_server.store.content.buckets.store import BucketContentStore

# The name of uploads that go through the server: nobody else gets their addresses, so they lie at the key itself.
THROUGH = "through"
COPY_LOOK_S = 0.5
_MISSING = frozenset({404})
_THERE = frozenset({409, 412})
_NUMBER_BYTES = 4
_BLOCK = re.compile(rb"<Block>\s*<Name>([^<]*)</Name>\s*<Size>(\d+)</Size>\s*</Block>")


@asynccontextmanager
async def opened(root: str, address_lifetime_s: int) -> AsyncIterator[BucketContentStore]:
    """Open a container."""
    container, prefix, config = configured(root, os.environ)
    address = config.get("endpoint", f"https://{config.get('account_name', '')}.blob.core.windows.net")
    store = connected(AzureStore, container, config, address)
    async with Calls("Azure") as calls:
        bucket = AzureBucket(store, prefix, address_lifetime_s, calls)
        if "sas_key" in config:
            bucket.allowed_by(f"{address}/{container}", config["sas_key"])
        yield await content_store(bucket, root)


def configured(root: str, environment: Mapping[str, str]) -> tuple[str, str, dict[str, str]]:
    """Return container, prefix and obstore's settings for a root."""
    parts = urlsplit(root)
    said = _connection(environment.get("AZURE_STORAGE_CONNECTION_STRING", ""))
    config = {name: said[word] for word, name in _WORDS.items() if said.get(word)}
    for variable, name in _VARIABLES.items():
        if environment.get(variable):
            config.setdefault(name, environment[variable])
    container, _, host = parts.netloc.partition("@")
    if host:
        account = host.partition(".")[0]
        if config.get("account_name", account) != account:
            # What the environment says is of another account; obstore would show a key or a signature to this one.
            config = {"skip_signature": "true"} if any(map(environment.get, _OF_ONE_ACCOUNT)) else {}
        config["account_name"] = account
        config.setdefault("endpoint", f"https://{host}")
    return container, parts.path.strip("/"), config


_WORDS = {
    "accountname": "account_name",
    "accountkey": "account_key",
    "blobendpoint": "endpoint",
    "sharedaccesssignature": "sas_key",
}
# Those of obstore, which it reads itself, and others that Azure's own programs and MLflow take.
_VARIABLES = {
    "AZURE_STORAGE_ACCOUNT_NAME": "account_name",
    "AZURE_STORAGE_ACCOUNT": "account_name",
    "AZURE_STORAGE_ACCOUNT_KEY": "account_key",
    "AZURE_STORAGE_ACCESS_KEY": "account_key",
    "AZURE_STORAGE_KEY": "account_key",
    "AZURE_STORAGE_SAS_TOKEN": "sas_key",
}
_OF_ONE_ACCOUNT = [variable for variable, name in _VARIABLES.items() if name != "account_name"]


def _connection(text: str) -> dict[str, str]:
    """Take a connection string of Azure's apart; names in small letters."""
    pairs = (part.partition("=") for part in text.split(";") if "=" in part)
    return {name.strip().lower(): value.strip().rstrip("/") for name, _, value in pairs}


class AzureBucket(Objects):
    """Implements `bucket.Bucket`."""

    def __init__(self, store: Any, prefix: str, address_lifetime_s: int, calls: Calls) -> None:
        super().__init__("Azure", store, prefix, address_lifetime_s)
        self._calls = calls
        self._allowed_by: tuple[str, str] | None = None

    def allowed_by(self, address: str, sas: str) -> None:
        """Make own requests to a container with the shared access signature that the server was given."""
        self._allowed_by = (address, sas.removeprefix("?"))

    async def delete(self, key: str) -> None:
        """See `bucket.Bucket`. obstore sends a batch even for one, which costs more and not every signature allows."""
        await self._at("DELETE", key, "", expected=_MISSING)

    async def begin_parts(self, key: str, *, checked: bool = False, addressed: bool = True) -> str:
        """See `bucket.Bucket`."""
        if not addressed:
            return THROUGH
        name = uuid4().hex[:16]
        # Without it there is no such upload (any more): what arrives late begins none.
        await self.put(_staged(key, name), b"")
        return name

    async def multipart_ids(self, key: str) -> Sequence[str]:
        """See `bucket.Bucket`; Azure forgets blocks that wait for nobody after a week."""
        return [THROUGH] if await self.parts(key, THROUGH) else []

    async def send_part(self, key: str, multipart_id: str, number: int, data: Part) -> PartTag:
        """See `bucket.Bucket`."""
        block = _block_id(number, b"")
        await self._at("PUT", _staged(key, multipart_id), f"comp=block&blockid={quote(block, safe='')}", data)
        return PartTag(number, "")

    async def parts(self, key: str, multipart_id: str) -> Sequence[HeldPart] | None:
        """See `bucket.Bucket`."""
        # Where others send to, blocks were maybe put together already, and not copied yet.
        query = f"comp=blocklist&blocklisttype={'uncommitted' if multipart_id == THROUGH else 'all'}"
        answer = await self._at("GET", _staged(key, multipart_id), query, expected=_MISSING)
        if answer.status == 404:
            return [] if multipart_id == THROUGH else None
        held = (_held(name.decode(), int(size)) for name, size in _BLOCK.findall(answer.body))
        by_number = {part.tag.number: part for part in held}
        return [by_number[number] for number in sorted(by_number)]

    async def part_urls(
        self, key: str, multipart_id: str, numbers: Sequence[int], sha256: Sequence[bytes] = ()
    ) -> Sequence[str]:
        """See `bucket.Bucket`. Blocks are named by what they should have, so that a client finds them again."""
        address = await self.signed("PUT", _staged(key, multipart_id))
        digests = sha256 or [b""] * len(numbers)
        blocks = [_block_id(number, digest) for number, digest in zip(numbers, digests, strict=True)]
        return [f"{address}&comp=block&blockid={quote(block, safe='')}" for block in blocks]

    async def join_parts(self, key: str, multipart_id: str, parts: Sequence[HeldPart]) -> None:
        """See `bucket.Bucket`."""
        staged = _staged(key, multipart_id)
        names = "".join(f"<Latest>{part.checksum['id']}</Latest>" for part in parts)
        body = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{names}</BlockList>'.encode()
        once = {"If-None-Match": "*"} if staged == key else {}
        answer = await self._at("PUT", staged, "comp=blocklist", body, once, _THERE | {400, 404})
        if answer.status == 400:
            raise InvalidArgumentError(f"Azure does not take the parts: {answer.code}")
        if answer.status >= 300:
            raise NotFoundError(f"Azure does not have the parts any more: {answer.code}")
        if staged != key:
            await self._copy(staged, key)
            await self.delete(staged)

    async def _copy(self, source: str, target: str) -> None:
        """Copy a blob inside of the account, unless the target is there already."""
        # Only what clients have sent is copied, and those have addresses because they can be signed.
        headers = {"x-ms-copy-source": await self.signed("GET", source), "If-None-Match": "*"}
        answer = await self._at("PUT", target, "", b"", headers, _THERE)
        status = answer.headers.get("x-ms-copy-status", "success")
        while answer.status < 300 and status == "pending":
            await asyncio.sleep(COPY_LOOK_S)
            looked = await self._at("HEAD", target, "")
            status = looked.headers.get("x-ms-copy-status", "success")
        if status != "success":
            await self.delete(target)
            raise UnavailableError(f"Azure did not copy what was sent: {status}")

    async def abandon_parts(self, key: str, multipart_id: str) -> None:
        """See `bucket.Bucket`. An empty blob takes the place of blocks that wait, and goes."""
        if multipart_id == THROUGH and not await self.parts(key, THROUGH):
            return
        staged = _staged(key, multipart_id)
        await self.put(staged, b"")
        await self.delete(staged)

    async def _at(
        self,
        method: Literal["GET", "PUT", "HEAD", "DELETE"],
        name: str,
        query: str,
        data: Part = b"",
        headers: Mapping[str, str] | None = None,
        expected: frozenset[int] = frozenset(),
    ) -> Answer:
        async def address() -> tuple[str, Mapping[str, str]]:
            if self._allowed_by:
                place, sas = self._allowed_by
                signed = f"{place}/{quote(self._path(name))}?{sas}"
            else:
                signed = await self.signed("GET" if method == "HEAD" else method, name)
            return f"{signed}&{query}".rstrip("&"), headers or {}

        return await self._calls.call(method, address, data, expected)


def _staged(key: str, multipart_id: str) -> str:
    return key if multipart_id == THROUGH else f"{key}.parts-{multipart_id}"


def _block_id(number: int, sha256: bytes) -> str:
    """Return the name of a block: all have the same length."""
    return base64.b64encode(number.to_bytes(_NUMBER_BYTES) + (sha256 or bytes(SHA256_BYTES))).decode()


def _held(name: str, size_bytes: int) -> HeldPart:
    raw = base64.b64decode(name)
    number, sha256 = int.from_bytes(raw[:_NUMBER_BYTES]), raw[_NUMBER_BYTES:]
    tag = sha256.hex() if any(sha256) else ""
    return HeldPart(PartTag(number, tag), size_bytes, {"id": name})
