"""What the artifact services ask of the stores: of the one of names (PostgreSQL) and of those of bytes.

All methods raise `UnavailableError` when the database, the folder or the bucket cannot do it now.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol
from uuid import UUID

from stepwell_server.model.artifacts import (
    Addition,
    Arrival,
    DirectUpload,
    FileSpec,
    Garbage,
    KnownContent,
    Listed,
    OpenUpload,
    PartTag,
    Piece,
    Room,
    StoredContent,
    StoredFile,
    Usage,
)


class ArtifactStore(Protocol):
    """Which artifacts there are, of runs and of logged models: a `run_id` is the id of either.

    What changes a run raises NotFoundError when there is no such run, InvalidStateError when it is deleted, and
    InvalidArgumentError when a path is a folder already, or lies in what is a file.
    """

    async def artifact_uri(self, run_id: UUID) -> str:
        """Return where a run's artifacts go. Raises NotFoundError; InvalidStateError when the run is deleted."""
        ...

    async def known(self, root: str, files: Sequence[FileSpec]) -> Sequence[KnownContent]:
        """Return the verified contents below a root that files have; their bytes may have been lost since."""
        ...

    async def doubt(self, content_ids: Sequence[UUID]) -> None:
        """Take note that contents are not what they ought to be: the next bytes of their SHA-256 take the place."""
        ...

    async def link(
        self, run_id: UUID, root: str, files: Sequence[FileSpec], *, own_only: bool = False
    ) -> set[str]:
        """Make the files visible whose verified content is below the root already, and return their paths.

        With `own_only`, only content that the run shows already, by whatever path.
        """
        ...

    async def usage(
        self,
        run_id: UUID,
        root: str,
        files: Sequence[FileSpec],
        *,
        stored: bool,
        of_experiment: bool = False,
    ) -> Usage:
        """Return what artifacts have of the disk; what is stored of the run and of all only if that is asked for.

        What is stored of its experiment is asked for beside that.
        """
        ...

    async def open_uploads(self, run_id: UUID, root: str, files: Sequence[FileSpec]) -> Sequence[OpenUpload]:
        """Note uploads, in the order of the files; one that is open for the same file is taken up again."""
        ...

    async def uploads(
        self, run_id: UUID, upload_ids: Sequence[UUID], *, came_through: bool = False
    ) -> Sequence[OpenUpload]:
        """Return open uploads in the order of their ids, and keep them from being given up for another while.

        `came_through` notes that bytes of them go through the server.

        Raises:
            NotFoundError: one of them is not open.
        """
        ...

    async def set_checked(self, run_id: UUID, upload_ids: Sequence[UUID]) -> None:
        """Note that all bytes of uploads came through the server, which has hashed them."""
        ...

    async def open_arrival(self, run_id: UUID, root: str, path: str, announced_bytes: int) -> Arrival:
        """Note a file on its way of which only the path is known, and that it has so many bytes at least."""
        ...

    async def announce(self, arrival: Arrival, announced_bytes: int) -> Arrival:
        """Note that a file on its way has so many bytes at least."""
        ...

    async def arrival(self, run_id: UUID, upload_id: UUID) -> Arrival:
        """Return a file on its way, and keep it from being given up for another while.

        Raises:
            NotFoundError: it is not open.
        """
        ...

    async def set_multipart(self, arrival: Arrival, multipart_id: str) -> None:
        """Note the bucket's name for a file on its way that goes there in parts. Raises NotFoundError."""
        ...

    async def set_direct(self, upload: OpenUpload, direct: DirectUpload) -> DirectUpload:
        """Note anew where an upload goes straight; returns what counts: somebody may be faster. The other is garbage.

        Raises:
            NotFoundError: it is not open any more.
        """
        ...

    async def complete(self, run_id: UUID, uploads: Sequence[OpenUpload]) -> None:
        """Make uploads visible, all of them in one transaction: their bytes, which were verified, are at their `place`.

        Raises:
            NotFoundError: one of them is not open any more, or began anew elsewhere; nothing changed.
        """
        ...

    async def add_rows(self, run_id: UUID, upload: OpenUpload, addition: Addition) -> bool:
        """Make a table with more rows visible, once for each call, if it replaces what is there; tells whether.

        Also notes the table in the run's tag mlflow.loggedArtifacts. However it is, the upload has ended.

        Raises:
            NotFoundError: the upload is not open any more; nothing changed.
        """
        ...

    async def abandon(self, run_id: UUID, upload_ids: Sequence[UUID]) -> None:
        """Give uploads up. Those that are not open are passed over."""
        ...

    async def abandon_idle(self, idle_ms: int, count_max: int) -> int:
        """Give up to `count_max` uploads up for which nothing happened in `idle_ms`; returns how many."""
        ...

    async def get(self, run_id: UUID, path: str) -> StoredFile:
        """Return a visible artifact. Raises NotFoundError."""
        ...

    async def list_folder(
        self,
        run_id: UUID,
        folder: str,
        start: str,
        count_max: int,
        *,
        recursive: bool,
        own_only: bool = False,
    ) -> Sequence[Listed]:
        """Return what is in a folder ("" is the root) from the path `start` on, in order of the paths' bytes.

        `own_only` leaves out what a run shows because a logged model has it.

        Raises:
            NotFoundError: there is no such run.
        """
        ...

    async def hide(self, run_id: UUID, path: str, count_max: int) -> tuple[int, Sequence[Garbage]]:
        """Remove up to `count_max` artifacts: a file, a folder, or everything ("").

        Returns how many, and the places whose bytes nothing shows any more.

        Raises InvalidStateError when versions of registered models need some of them.
        """
        ...

    async def garbage(self, count_max: int, after: int) -> Sequence[Garbage]:
        """Return places with bytes to be removed, oldest first, from the id `after` on."""
        ...

    async def forget_garbage(self, garbage_ids: Sequence[int]) -> None:
        """Take note that their bytes are gone."""
        ...


class VerificationStore(Protocol):
    """Which contents there are, for who reads them again."""

    async def count_contents(self, run_id: UUID | None) -> tuple[int, int]:
        """Return how many contents a run shows, or all (None), and their bytes. Raises NotFoundError: no such run."""
        ...

    async def contents(
        self, run_id: UUID | None, after: UUID | None, count_max: int
    ) -> Sequence[StoredContent]:
        """Return the next of them in order of their ids, behind one."""
        ...

    async def shown(
        self, content_ids: Sequence[UUID]
    ) -> Mapping[UUID, tuple[str, int, Sequence[tuple[str, str]]]]:
        """Return of contents, as far as they are still there: key, number of artifacts, the first: owners and paths."""
        ...

    async def set_verified(self, content_ids: Sequence[UUID], is_verified: bool) -> None:
        """Note whether contents are what they ought to be; see `ArtifactStore.doubt`."""
        ...


class ContentStore(Protocol):
    """Bytes below one root, by keys that are never used twice. What is stored is never changed.

    What would leave less of the disk than its reserve raises ExhaustedError.
    """

    @property
    def piece_bytes(self) -> int:
        """How large the pieces for `receive` had best be; of those, two are in memory."""
        ...

    async def room(self) -> Room | None:
        """Return how much more may come; None where that has no end that anybody knows."""
        ...

    async def held_bytes(self, key: str, file: FileSpec) -> int:
        """Return how many bytes of an unfinished `write` are kept, from which it can go on."""
        ...

    async def write(self, key: str, offset: int, pieces: AsyncIterator[Piece], file: FileSpec) -> None:
        """Store what the pieces make, behind the first `offset` bytes that are held; memory stays bounded.

        Raises:
            InvalidArgumentError: the bytes have another size or SHA-256 than the file; nothing is stored. Or the
                offset is beyond what is held.
            UnavailableError: another call writes the key.
        """
        ...

    async def receive(
        self, key: str, pieces: AsyncIterator[Piece], size_bytes: int | None
    ) -> tuple[int, bytes]:
        """Store what the pieces make, and return its size and SHA-256. After any error nothing is stored.

        `size_bytes` is how much probably comes, if somebody said so. Memory stays bounded.

        Raises:
            InvalidArgumentError: it is more than this store can take.
        """
        ...

    async def write_small(self, files: Sequence[tuple[str, bytes]]) -> None:
        """Store whole files, checked by the caller: pairs of key and bytes. They are on disk when this returns."""
        ...

    async def verify(self, key: str, file: FileSpec) -> str:
        """Return what is wrong with what is stored, "" if nothing; it is read unless a bucket vouches for it."""
        ...

    async def size_bytes(self, key: str) -> int | None:
        """Return the size of what is stored as a whole; None when there is nothing."""
        ...

    def read(self, key: str, offset: int) -> AsyncIterator[Piece]:
        """Yield what is stored, from an offset on, in pieces of at most 512 KiB; each is valid until the next one.

        Raises:
            NotFoundError: nothing is stored.
        """
        ...

    async def remove(self, key: str, multipart_id: str | None) -> None:
        """Remove what is stored and what is unfinished, also under other names than this; NO_PARTS: nobody has to look.

        Nothing there is no error.
        """
        ...

    @property
    def direct(self) -> "DirectContentStore | None":
        """The same store as one that clients can reach by addresses, if it is one."""
        ...


class DirectContentStore(Protocol):
    """A bucket: clients can send to it and fetch from it by addresses that are valid for a limited time."""

    @property
    def checks_sha256(self) -> bool:
        """Whether parts can be signed for their SHA-256; else what came in them is read once before it counts."""
        ...

    def part_bytes(self, size_bytes: int) -> int:
        """Return how large the parts of a file of this size had best be."""
        ...

    async def get_urls(self, keys: Sequence[str]) -> Sequence[str]:
        """Return addresses that give contents by GET, in their order."""
        ...

    async def begin_parts(self, key: str, *, checked: bool = False) -> str:
        """Begin an upload in parts and return the bucket's name for it; `checked`: each comes with its SHA-256."""
        ...

    async def held_parts(self, key: str, multipart_id: str) -> Sequence[PartTag] | None:
        """Return the parts that the bucket holds; None when it does not know the upload (any more)."""
        ...

    async def part_urls(
        self, key: str, multipart_id: str, numbers: Sequence[int], sha256: Sequence[bytes] = ()
    ) -> Sequence[str]:
        """Return addresses that take parts by PUT.

        With the SHA-256 of each part, they take nothing else, if the bucket can check that.
        """
        ...

    async def complete_parts(self, key: str, multipart_id: str, parts: Sequence[PartTag]) -> None:
        """Put the parts together: those that are named, or all that there are. A repeat is harmless.

        No address that was given for them can change anything from then on.

        Raises:
            InvalidArgumentError: the bucket does not hold these parts, or none.
            NotFoundError: it does not know the upload (any more).
        """
        ...

    async def hashed(self, key: str, size_bytes: int) -> tuple[int, bytes]:
        """Read what is stored and return its size and SHA-256, which means nothing unless the size is `size_bytes`.

        Raises:
            NotFoundError: nothing is stored.
        """
        ...

    async def abandon_parts(self, key: str, multipart_id: str) -> None:
        """Remove parts that were not put together. Nothing there is no error."""
        ...


class ContentStores(Protocol):
    """The roots that this server can reach."""

    def root_of(self, artifact_uri: str) -> str:
        """Return the root for a run's artifacts. Raises InvalidArgumentError when the location cannot be used."""
        ...

    def destination(self, place: str) -> str:
        """Return the root for artifacts that are to go to a place, where an empty one is the server's own.

        Raises:
            InvalidArgumentError: it is none, or not among those that this server allows.
        """
        ...

    async def open(self, root: str) -> ContentStore:
        """Return the store of a root; it is kept for the life of the server."""
        ...
