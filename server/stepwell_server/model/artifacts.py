"""The values of artifacts that travel between transport, services and store; no I/O, no clock here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

MIB = 1024 * 1024

# A btree row of PostgreSQL holds about 2,700 bytes; file systems take 255 bytes a name.
PATH_BYTES_MAX = 1_024
PATH_PART_BYTES_MAX = 255
PATH_PARTS_MAX = 100

SHA256_BYTES = 32
# Ends the keys of uploads whose parts are signed for their SHA-256.
CHECKED_SUFFIX = "-checked"
# What S3 takes in one object.
FILE_BYTES_MAX = 5 * 1024 * 1024 * MIB
# Files in one request: their paths and hashes make at most 500 x 1.1 KB = 550 KB.
FILES_PER_REQUEST_MAX = 500
# Bytes in one message; gRPC refuses more than 8 MiB (config.RECEIVE_BYTES_MAX).
MESSAGE_BYTES_MAX = 4 * MIB
# S3 takes 10,000 parts of 5 MiB to 5 GiB; below this size one PUT is as good as parts.
PART_BYTES_MIN = 16 * MIB
PARTS_MAX = 10_000
# Small files go through the server: straight to a bucket, each would take the server four requests, or it would have to
# read what it cannot ask the SHA-256 of; many together take it one request each. So a bucket never holds parts of them.
SMALL_BYTES_MAX = MIB
# Stands for a bucket's name of what it holds in parts where it holds none.
NO_PARTS = ""
SIGNED_PARTS_PER_REQUEST_MAX = 1_000
# Parts of all uploads that one request finishes: one of the largest, or many small ones.
FINISHED_PARTS_PER_REQUEST_MAX = 10_000
LIST_PAGE_SIZE_DEFAULT = 1_000
LIST_PAGE_SIZE_MAX = 10_000
# Of pages with addresses: these live for minutes, and each takes 0.2 ms to sign.
ADDRESSED_PAGE_SIZE_MAX = 500
# Rows that one step of a removal takes.
DELETE_STEP_FILES_MAX = 1_000

assert FILE_BYTES_MAX / PARTS_MAX < 5 * 1024 * MIB


# Some bytes of a file, maybe as a view of a message that was received.
Piece = bytes | memoryview


@dataclass(frozen=True, slots=True)
class FileSpec:
    """A file that is to become an artifact: its path in the run, its size in bytes, its SHA-256."""

    path: str
    size_bytes: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes that are free on a disk, beyond its reserve, and bytes of unfinished uploads that are there already."""

    free_bytes: int
    held_bytes: int


@dataclass(frozen=True, slots=True)
class Usage:
    """What there is, in bytes: of one run, of its experiment and of all.

    And what open uploads have announced, of all and below a root.

    `same_announced_bytes` are those of the same files of the run, which go on.
    """

    run_bytes: int
    experiment_bytes: int
    total_bytes: int
    announced_bytes: int
    root_announced_bytes: int
    same_announced_bytes: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where bytes are: `key` is a name below `root`; see `store/content/forms.py` for the forms of roots."""

    root: str
    key: str


@dataclass(frozen=True, slots=True)
class DirectUpload:
    """Where the bytes go that a client sends straight to a bucket: a key of its own, and the bucket's name for it."""

    key: str
    multipart_id: str

    @property
    def takes_checksums(self) -> bool:
        """Whether the bucket was told that each part comes with its SHA-256; then it takes none without."""
        return self.key.endswith(CHECKED_SUFFIX)


@dataclass(frozen=True, slots=True)
class OpenUpload:
    """An upload that is not finished: bytes that go through the server have `place`, others what `direct` says.

    `came_through`: some have come through the server; `is_checked`: all of them, and their SHA-256 is right.
    """

    run_id: UUID
    upload_id: UUID
    file: FileSpec
    place: Place
    direct: DirectUpload | None = None
    came_through: bool = False
    is_checked: bool = False


@dataclass(frozen=True, slots=True)
class Arrival:
    """A file on its way of which nobody said before what its SHA-256 will be.

    `announced_bytes` is what is known of its size, and counts in quotas.
    """

    run_id: UUID
    upload_id: UUID
    path: str
    place: Place
    announced_bytes: int = 0
    multipart_id: str | None = None

    def arrived(self, size_bytes: int, sha256: bytes) -> OpenUpload:
        """Return the upload that it turned out to be."""
        file = FileSpec(self.path, size_bytes, sha256)
        return OpenUpload(self.run_id, self.upload_id, file, self.place)


@dataclass(frozen=True, slots=True)
class PartTag:
    """A part that a bucket holds: its number, from 1, and the bucket's tag for its content."""

    number: int
    etag: str


@dataclass(frozen=True, slots=True)
class AlreadyThere:
    """Nothing is left to do: the artifact is visible."""


@dataclass(frozen=True, slots=True)
class ThroughServer:
    """The bytes are to be sent to the server."""

    upload_id: UUID


@dataclass(frozen=True, slots=True)
class PutDirectly:
    """The bytes are to be PUT to an address of the bucket, with their SHA-256 when that is signed."""

    upload_id: UUID
    url: str
    checksum_signed: bool = False


@dataclass(frozen=True, slots=True)
class PartsDirectly:
    """The bytes are to be PUT in parts; `held` are in the bucket already."""

    upload_id: UUID
    part_bytes: int
    held: Sequence[PartTag]


UploadPlan = AlreadyThere | ThroughServer | PutDirectly | PartsDirectly


@dataclass(frozen=True, slots=True)
class FinishedUpload:
    """An upload whose bytes were sent; `parts` when they went to a bucket in parts."""

    upload_id: UUID
    parts: Sequence[PartTag] = ()


@dataclass(frozen=True, slots=True)
class KnownContent:
    """Content that was verified when it was stored."""

    content_id: UUID
    sha256: bytes
    size_bytes: int
    key: str


@dataclass(frozen=True, slots=True)
class Addition:
    """Rows that were added to the table with a SHA-256 (empty: there was none) by the call with an id."""

    replaces_sha256: bytes
    call_id: UUID


@dataclass(frozen=True, slots=True)
class StoredContent:
    """Content as it ought to be at its place; the path of `file` is empty, because many may show it."""

    content_id: UUID
    place: Place
    file: FileSpec
    is_verified: bool


@dataclass(frozen=True, slots=True)
class BrokenContent:
    """Content that is not what it ought to be, and why.

    `artifacts` are the first that show it: ids of runs (or models, as m-<id>) and paths.
    """

    place: Place
    sha256: bytes
    size_bytes: int
    problem: str
    artifact_count: int
    artifacts: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class VerificationProgress:
    """How far a verification is, in contents and bytes, and what it found since this was last said."""

    total_count: int
    total_bytes: int
    checked_count: int
    checked_bytes: int
    broken: Sequence[BrokenContent] = ()
    # At the end: of each root, how many contents were read, and their bytes.
    places: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A visible artifact and where its bytes are."""

    path: str
    size_bytes: int
    sha256: bytes
    logged_time_ms: int
    place: Place


@dataclass(frozen=True, slots=True)
class Listed:
    """A line of a listing: a file, or a folder (then size and time are 0 and `sha256` is empty).

    `place` is known of files in listings of all that is below a folder.
    """

    path: str
    is_folder: bool
    size_bytes: int = 0
    sha256: bytes = b""
    logged_time_ms: int = 0
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Garbage:
    """Bytes that nothing refers to any more, and that are to be removed."""

    garbage_id: int
    place: Place
    multipart_id: str | None


def part_bytes(size_bytes: int) -> int:
    """Return the size of a part for a file: 16 MiB, or as many whole MiB as keep it within 10,000 parts."""
    needed = -(-size_bytes // PARTS_MAX)
    return max(PART_BYTES_MIN, -(-needed // MIB) * MIB)
