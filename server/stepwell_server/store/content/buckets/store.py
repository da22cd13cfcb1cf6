"""Content in a bucket: one PUT where that is enough, and parts for what is larger.

    <prefix>/<key>

Objects are whole or not there. Clients get addresses of parts only, never of objects: when the server has put the parts
together, what was signed before reaches nothing any more.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from typing import Self

from stepwell_server.errors import InvalidArgumentError, NotFoundError, UnavailableError
from stepwell_server.model.artifacts import MIB, NO_PARTS, PARTS_MAX, FileSpec, PartTag, Piece, Room
from stepwell_server.store.content.buckets.bucket import Bucket, HeldPart, Part
from stepwell_server.store.content.buckets.parts import InParts

# Of a file one part is in memory at a time. S3 takes none that are smaller.
THROUGH_PART_BYTES_MIN = 5 * MIB
# Of a file whose size nobody said.
UNKNOWN_PART_BYTES = 8 * MIB
# Small files that are stored at once, of all calls: as many as there are connections. With more, each would open one of
# its own and close it, which costs a bucket's server as much as the file.
WRITES_AT_ONCE = 32
# What is read again without asking the bucket first what it has: that would take as long.
READ_AT_ONCE_BYTES_MAX = MIB
NOTHING = "nothing is there"
# How often a bucket that refuses to put parts together is asked what it holds and to put that together, and the pause.
JOINS_MAX = 3
JOIN_PAUSE_S = 0.2


class BucketContentStore:
    """Implements `ports.artifacts.ContentStore`, and, if addresses can be signed, `DirectContentStore`."""

    piece_bytes = MIB

    def __init__(self, bucket: Bucket, *, signs: bool = True) -> None:
        self._bucket = bucket
        self._signs = signs
        self._room_of_small = asyncio.Semaphore(WRITES_AT_ONCE)

    @property
    def direct(self) -> Self | None:
        """See `ports.artifacts.ContentStore`."""
        return self if self._signs else None

    @property
    def checks_sha256(self) -> bool:
        """See `ports.artifacts.DirectContentStore`."""
        return self._bucket.checks_sha256

    def part_bytes(self, size_bytes: int) -> int:
        """See `ports.artifacts.DirectContentStore`."""
        return self._bucket.part_bytes(size_bytes)

    async def held_bytes(self, key: str, file: FileSpec) -> int:
        """See `ports.artifacts.ContentStore`."""
        size = await self.size_bytes(key)
        if size is None and file.size_bytes > THROUGH_PART_BYTES_MIN:
            return (await self._unfinished(key, file)).held_bytes
        return size or 0

    async def room(self) -> Room | None:
        """See `ports.artifacts.ContentStore`."""
        return None

    async def write(self, key: str, offset: int, pieces: AsyncIterator[Piece], file: FileSpec) -> None:
        """See `ports.artifacts.ContentStore`."""
        if await self.size_bytes(key) is not None:
            await self._check_stored(key, file)  # a repeat, after an answer that was lost
        elif file.size_bytes > THROUGH_PART_BYTES_MIN:
            await self._write_parts(key, offset, pieces, file)
        elif offset:
            raise _cannot_go_on(0, offset)
        else:
            only = [part async for part in InParts(file, pieces, 0).of(THROUGH_PART_BYTES_MIN)]
            await self._bucket.put(key, *only or [b""])

    async def receive(
        self, key: str, pieces: AsyncIterator[Piece], size_bytes: int | None
    ) -> tuple[int, bytes]:
        """See `ports.artifacts.ContentStore`."""
        gathered = InParts(None, pieces, 0)
        part_bytes = through_part_bytes(size_bytes) if size_bytes else UNKNOWN_PART_BYTES
        async with aclosing(_limited(gathered.of(part_bytes), part_bytes)) as parts:
            first = await anext(parts, b"")
            if len(first) < part_bytes:
                await self._bucket.put(key, first)
            else:
                await self._receive_parts(key, _with_first(first, parts), gathered)
        return gathered.taken

    async def _receive_parts(self, key: str, parts: AsyncIterator[Part], gathered: InParts) -> None:
        multipart_id = await self._bucket.begin_parts(key, addressed=False)
        try:
            sent = await self._send_all(key, multipart_id, 0, parts, gathered)
            await self._complete_own(key, multipart_id, sent)
        except BaseException:
            with suppress(UnavailableError):  # what is left is removed with the upload's row
                await self.abandon_parts(key, multipart_id)
            raise

    async def write_small(self, files: Sequence[tuple[str, bytes]]) -> None:
        """See `ports.artifacts.ContentStore`."""

        async def put(key: str, data: bytes) -> None:
            async with self._room_of_small:
                await self._bucket.put(key, data)

        await asyncio.gather(*(put(key, data) for key, data in files))

    async def verify(self, key: str, file: FileSpec) -> str:
        """See `ports.artifacts.ContentStore`."""
        if file.size_bytes > READ_AT_ONCE_BYTES_MAX:
            found = await self._bucket.find(key, file.sha256)
            if found is None:
                return NOTHING
            if found.size_bytes != file.size_bytes:
                return f"{found.size_bytes} bytes are there instead of {file.size_bytes}"
            if found.has_sha256:
                return ""
        try:
            count, digest = await self._bucket.hashed(key, file.size_bytes)
        except NotFoundError:
            return NOTHING
        if count != file.size_bytes:
            more = "or more " if count > file.size_bytes else ""
            return f"{count} bytes {more}are there instead of {file.size_bytes}"
        return "" if digest == file.sha256 else f"the bytes there have the SHA-256 {digest.hex()}"

    async def hashed(self, key: str, size_bytes: int) -> tuple[int, bytes]:
        """See `ports.artifacts.DirectContentStore`."""
        return await self._bucket.hashed(key, size_bytes)

    async def size_bytes(self, key: str) -> int | None:
        """See `ports.artifacts.ContentStore`."""
        found = await self._bucket.find(key)
        return None if found is None else found.size_bytes

    async def read(self, key: str, offset: int) -> AsyncIterator[Piece]:
        """See `ports.artifacts.ContentStore`."""
        # A range that begins at the end is refused, and an empty object has no other.
        if offset and offset == await self.size_bytes(key):
            return
        async with aclosing(self._bucket.read(key, offset)) as pieces:  # type: ignore[type-var]
            async for piece in pieces:
                yield piece

    async def remove(self, key: str, multipart_id: str | None) -> None:
        """See `ports.artifacts.ContentStore`."""
        if multipart_id != NO_PARTS:
            for found in {multipart_id, *await self._bucket.multipart_ids(key)} - {None}:
                await self.abandon_parts(key, str(found))
        await self._bucket.delete(key)

    async def get_urls(self, keys: Sequence[str]) -> Sequence[str]:
        """See `ports.artifacts.DirectContentStore`."""
        return await self._bucket.get_urls(keys)

    async def begin_parts(self, key: str, *, checked: bool = False) -> str:
        """See `ports.artifacts.DirectContentStore`."""
        return await self._bucket.begin_parts(key, checked=checked)

    async def held_parts(self, key: str, multipart_id: str) -> Sequence[PartTag] | None:
        """See `ports.artifacts.DirectContentStore`."""
        parts = await self._bucket.parts(key, multipart_id)
        return None if parts is None else [part.tag for part in parts]

    async def part_urls(
        self, key: str, multipart_id: str, numbers: Sequence[int], sha256: Sequence[bytes] = ()
    ) -> Sequence[str]:
        """See `ports.artifacts.DirectContentStore`."""
        return await self._bucket.part_urls(key, multipart_id, numbers, sha256)

    async def complete_parts(self, key: str, multipart_id: str, parts: Sequence[PartTag]) -> None:
        """See `ports.artifacts.DirectContentStore`."""
        try:
            await self._join(key, multipart_id, parts)
        except (NotFoundError, InvalidArgumentError):
            if await self.size_bytes(key) is None:  # else it is a repeat, and what is there will be verified
                raise

    async def _join(self, key: str, multipart_id: str, parts: Sequence[PartTag]) -> None:
        """Put parts together as the bucket lists them; one that came late, again, may have changed that meanwhile."""
        attempt = 1
        while True:
            held = await self._bucket.parts(key, multipart_id)
            if held is None:
                raise NotFoundError("the bucket does not know this upload any more")
            if not held:
                raise InvalidArgumentError("nothing arrived: the bucket holds no parts of it")
            named = _named(held, parts)
            try:
                await self._bucket.join_parts(key, multipart_id, named)
            except InvalidArgumentError:
                if attempt == JOINS_MAX:
                    raise
            else:
                return
            attempt += 1
            await asyncio.sleep(JOIN_PAUSE_S)

    async def abandon_parts(self, key: str, multipart_id: str) -> None:
        """See `ports.artifacts.DirectContentStore`."""
        await self._bucket.abandon_parts(key, multipart_id)

    async def _write_parts(self, key: str, offset: int, pieces: AsyncIterator[Piece], file: FileSpec) -> None:
        """Go on where the bucket has parts already. What was sent in several calls is read again to be checked."""
        held = await self._unfinished(key, file)
        if not 0 <= offset <= held.held_bytes:
            raise _cannot_go_on(held.held_bytes, offset)
        multipart_id = held.multipart_id or await self._bucket.begin_parts(key, addressed=False)
        kept = held.tags if offset else ()
        gathered = InParts(file, pieces, offset, held.held_bytes - offset if offset else 0)
        try:
            parts = gathered.of(through_part_bytes(file.size_bytes))
            sent = await self._send_all(key, multipart_id, len(kept), parts, gathered)
            if await self.size_bytes(key) is not None:
                raise UnavailableError("another call has finished this upload; begin it again")
            await self._complete_own(key, multipart_id, [*kept, *sent])
        except InvalidArgumentError:
            await self.abandon_parts(key, multipart_id)  # nobody can go on with these
            raise
        if offset:
            await self._check_stored(key, file)

    async def _complete_own(self, key: str, multipart_id: str, parts: Sequence[PartTag]) -> None:
        """Put parts together that this server has sent; where the bucket has lost some, they have to come again."""
        try:
            await self.complete_parts(key, multipart_id, parts)
        except (NotFoundError, InvalidArgumentError) as refusal:
            await self.abandon_parts(key, multipart_id)
            raise UnavailableError(
                f"the bucket does not have all that was sent to it; send it again: {refusal}"
            ) from refusal

    async def _send_all(
        self, key: str, multipart_id: str, before: int, parts: AsyncIterator[Part], gathered: InParts
    ) -> Sequence[PartTag]:
        """Send the parts that were gathered, behind the `before` first ones; one travels at a time."""
        tags: list[PartTag] = []
        under_way: asyncio.Task[PartTag] | None = None
        try:
            async for part in parts:
                if under_way is not None:
                    tags.append(await under_way)
                number = before + len(tags) + 1
                under_way = asyncio.create_task(self._send_part(key, multipart_id, number, part))
                gathered.lend(under_way)
            return tags if under_way is None else [*tags, await under_way]
        except Exception:
            if under_way is not None:  # or it would arrive after all of this upload was removed
                await asyncio.gather(under_way, return_exceptions=True)
            raise
        finally:
            if under_way is not None:
                under_way.cancel()
                await asyncio.gather(under_way, return_exceptions=True)

    async def _send_part(self, key: str, multipart_id: str, number: int, data: Part) -> PartTag:
        return await self._bucket.send_part(key, multipart_id, number, data)

    async def _unfinished(self, key: str, file: FileSpec) -> "_Unfinished":
        """Return the upload of a key from which `write` can go on, if there is one."""
        found = [_Unfinished()]
        for multipart_id in await self._bucket.multipart_ids(key):
            parts = await self._bucket.parts(key, multipart_id)
            if parts is not None and _fit(parts, file):
                tags = [part.tag for part in parts]
                found.append(_Unfinished(multipart_id, tags, sum(part.size_bytes for part in parts)))
        return max(found, key=lambda unfinished: (unfinished.held_bytes, unfinished.multipart_id or ""))

    async def _check_stored(self, key: str, file: FileSpec) -> None:
        """Read what is stored, and remove it if it is not what was announced: then InvalidArgumentError."""
        count, digest = await self._bucket.hashed(key, file.size_bytes)
        if (count, digest) != (file.size_bytes, file.sha256):
            await self.remove(key, None)
            raise InvalidArgumentError(
                f"what is stored of {file.path!r}, {count} bytes, does not have the SHA-256 {file.sha256.hex()}: "
                "the file changed while it was sent; log it again"
            )


@dataclass(frozen=True, slots=True)
class _Unfinished:
    """What a bucket holds of an upload that went through the server."""

    multipart_id: str | None = None
    tags: Sequence[PartTag] = ()
    held_bytes: int = 0


def through_part_bytes(size_bytes: int) -> int:
    """Return the size of a part of a file that goes through the server."""
    return max(THROUGH_PART_BYTES_MIN, -(-size_bytes // PARTS_MAX))


async def _limited(parts: AsyncIterator[Part], part_bytes: int) -> AsyncGenerator[Part]:
    """Yield parts as long as a bucket takes more."""
    number = 0
    async for part in parts:
        number += 1
        if number > PARTS_MAX:
            raise InvalidArgumentError(
                f"a file whose length was not said may have {PARTS_MAX * part_bytes:,} bytes; say it (Content-Length)"
            )
        yield part


async def _with_first(first: Part, rest: AsyncIterator[Part]) -> AsyncIterator[Part]:
    yield first
    async for part in rest:
        yield part


def _cannot_go_on(held: int, offset: int) -> InvalidArgumentError:
    return InvalidArgumentError(f"the upload holds {held} bytes; it cannot go on at offset {offset}")


def _named(held: Sequence[HeldPart], tags: Sequence[PartTag]) -> Sequence[HeldPart]:
    """Return the parts that tags name, all without any; InvalidArgumentError when one is not held."""
    if not tags:
        return held
    by_number = {part.tag.number: part for part in held}
    missing = [tag.number for tag in tags if tag.number not in by_number]
    if missing:
        raise InvalidArgumentError(
            f"the bucket does not hold part {missing[0]} of this upload; send it again"
        )
    return [replace(by_number[tag.number], tag=tag) if tag.etag else by_number[tag.number] for tag in tags]


def _fit(parts: Sequence[HeldPart], file: FileSpec) -> bool:
    """Tell whether these are the first parts of a file that `write` sent; what went straight has others."""
    part_bytes = through_part_bytes(file.size_bytes)
    return all(
        part.tag.number == number
        and part.size_bytes == min(part_bytes, file.size_bytes - (number - 1) * part_bytes)
        for number, part in enumerate(parts, 1)
    )
