"""What `BucketContentStore` asks of a bucket, and the values that go between them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from stepwell_server.model.artifacts import MIB, PartTag, Piece

READ_BYTES_MAX = MIB // 2

# Bytes on their way to a bucket. Who sends them has to be done with them when it returns.
Part = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Found:
    """An object that is there; `has_sha256` tells whether the bucket has checked that it has a SHA-256."""

    size_bytes: int
    has_sha256: bool = False


@dataclass(frozen=True, slots=True)
class HeldPart:
    """A part that the bucket holds, and what it has checked of it."""

    tag: PartTag
    size_bytes: int
    checksum: Mapping[str, str] = field(default_factory=dict)


class Bucket(Protocol):
    """A bucket below a prefix. Objects are whole or not there.

    All methods raise UnavailableError when the bucket cannot do it now, and InvalidArgumentError when what they name
    can never be right.
    """

    @property
    def checks_sha256(self) -> bool:
        """Whether parts can be signed for their SHA-256, so that the bucket takes nothing else."""
        ...

    def part_bytes(self, size_bytes: int) -> int:
        """See `ports.artifacts.DirectContentStore`."""
        ...

    async def find(self, key: str, sha256: bytes = b"") -> Found | None:
        """Return what is known of an object, and whether it has a SHA-256 if one is given; None if there is none."""
        ...

    async def put(self, key: str, data: Part) -> None:
        """Store a whole object."""
        ...

    def read(self, key: str, offset: int) -> AsyncIterator[Piece]:
        """Yield an object from an offset before its end on, in pieces of at most READ_BYTES_MAX; or NotFoundError."""
        ...

    async def hashed(self, key: str, size_bytes: int) -> tuple[int, bytes]:
        """Read an object again and return how many bytes it has, and their SHA-256; or NotFoundError.

        Of one that has more or fewer than `size_bytes`, the SHA-256 is not worth anything, and it may have more yet.
        """
        ...

    async def delete(self, key: str) -> None:
        """Remove an object. Nothing there is no error."""
        ...

    async def get_urls(self, keys: Sequence[str]) -> Sequence[str]:
        """Return addresses that give objects by GET, in their order."""
        ...

    async def begin_parts(self, key: str, *, checked: bool = False, addressed: bool = True) -> str:
        """Begin an upload in parts and return its name.

        `checked`: each part comes with its SHA-256; `addressed`: others get addresses of its parts.
        """
        ...

    async def multipart_ids(self, key: str) -> Sequence[str]:
        """Return the names of uploads of a key that the bucket knows, also one that was lost in a crash."""
        ...

    async def send_part(self, key: str, multipart_id: str, number: int, data: Part) -> PartTag:
        """Send one part of an upload."""
        ...

    async def parts(self, key: str, multipart_id: str) -> Sequence[HeldPart] | None:
        """Return the parts that the bucket holds, in order; None when it does not know the upload (any more)."""
        ...

    async def part_urls(
        self, key: str, multipart_id: str, numbers: Sequence[int], sha256: Sequence[bytes] = ()
    ) -> Sequence[str]:
        """See `ports.artifacts.DirectContentStore`."""
        ...

    async def join_parts(self, key: str, multipart_id: str, parts: Sequence[HeldPart]) -> None:
        """Make an object of these parts; none of their addresses reaches it. NotFoundError: they are gone."""
        ...

    async def abandon_parts(self, key: str, multipart_id: str) -> None:
        """Remove parts that were not put together. Nothing there is no error."""
        ...
