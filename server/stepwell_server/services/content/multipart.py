"""Files that clients send straight to a bucket, in parts, without having said what they are: MLflow's way."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from stepwell_server.errors import ExhaustedError, InvalidArgumentError, UnavailableError
from stepwell_server.model.artifacts import (
    MIB,
    PARTS_MAX,
    SIGNED_PARTS_PER_REQUEST_MAX,
    Arrival,
    FileSpec,
    PartTag,
)
from stepwell_server.services.content.lost import doubt_lost
from stepwell_server.services.content.paths import check_path
from stepwell_server.services.content.quotas import Quotas
from stepwell_server.store.ports.artifacts import ArtifactStore, ContentStore, ContentStores

# Buckets take no smaller parts, but for the last one.
BUCKET_PART_BYTES_MIN = 5 * MIB


@dataclass(frozen=True, slots=True)
class BegunParts:
    """An upload in parts: `urls` take them by PUT, the first is that of part 1."""

    upload_id: UUID
    urls: Sequence[str]


class MultipartService:
    """Begins, completes and gives up such uploads. Raises what `artifact_ports` says, and InvalidArgumentError."""

    def __init__(self, store: ArtifactStore, contents: ContentStores, quotas: Quotas) -> None:
        self._store = store
        self._contents = contents
        self._quotas = quotas

    async def available(self, run_id: UUID) -> bool:
        """Tell whether a run's content goes to a bucket. Raises NotFoundError."""
        root = self._contents.root_of(await self._store.artifact_uri(run_id))
        return (await self._contents.open(root)).direct is not None

    async def begin(self, run_id: UUID, path: str, count: int) -> BegunParts | None:
        """Return addresses for parts; None where content does not go to a bucket."""
        check_path(path)
        if not 1 <= count <= PARTS_MAX:
            raise InvalidArgumentError(f"an upload has 1 to {PARTS_MAX:,} parts, not {count}")
        root = self._contents.root_of(await self._store.artifact_uri(run_id))
        content = await self._contents.open(root)
        bucket = content.direct
        if bucket is None:
            return None
        least = (count - 1) * BUCKET_PART_BYTES_MIN
        await self._quotas.require_room(self._store, content, run_id, root, [FileSpec(path, least, b"")])
        arrival = await self._store.open_arrival(run_id, root, path, least)
        multipart_id = await bucket.begin_parts(arrival.place.key)
        await self._store.set_multipart(arrival, multipart_id)
        urls: list[str] = []
        for first in range(1, count + 1, SIGNED_PARTS_PER_REQUEST_MAX):
            numbers = range(first, min(first + SIGNED_PARTS_PER_REQUEST_MAX, count + 1))
            urls += await bucket.part_urls(arrival.place.key, multipart_id, numbers)
        return BegunParts(arrival.upload_id, urls)

    async def complete(self, run_id: UUID, path: str, upload_id: UUID, parts: Sequence[PartTag]) -> FileSpec:
        """Put the parts together, read the whole once for its SHA-256, and make it visible."""
        arrival = await self._store.arrival(run_id, upload_id)
        if arrival.path != path:
            raise InvalidArgumentError(f"upload {upload_id.hex} is one of {arrival.path!r}, not of {path!r}")
        content = await self._contents.open(arrival.place.root)
        if content.direct is None or arrival.multipart_id is None:
            raise InvalidArgumentError(f"upload {upload_id.hex} does not go to a bucket in parts")
        await content.direct.complete_parts(arrival.place.key, arrival.multipart_id, parts)
        size = await content.size_bytes(arrival.place.key) or 0
        await self._require_room(content, arrival, size)
        found, sha256 = await content.direct.hashed(arrival.place.key, size)
        if found != size:
            raise UnavailableError(f"the bucket says that {path!r} has {size} bytes, and sends {found}")
        upload = arrival.arrived(size, sha256)
        await doubt_lost(self._store, self._contents, arrival.place.root, [upload.file])
        await self._store.complete(run_id, [upload])
        return upload.file

    async def _require_room(self, content: ContentStore, arrival: Arrival, size: int) -> None:
        """Give the upload up when its bytes are more than it announced, and quotas have no room for that."""
        try:
            await self._quotas.require_more(self._store, content, arrival, size - arrival.announced_bytes)
        except ExhaustedError:
            await self.abandon(arrival.run_id, arrival.upload_id)
            raise

    async def abandon(self, run_id: UUID, upload_id: UUID) -> None:
        """Give an upload up; what it holds is removed at once, or by the next sweep."""
        arrival = await self._store.arrival(run_id, upload_id)
        content = await self._contents.open(arrival.place.root)
        await self._store.abandon(run_id, [upload_id])
        await content.remove(arrival.place.key, arrival.multipart_id)
