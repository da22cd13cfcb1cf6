"""Artifacts in PostgreSQL: which there are, whose content they show, and what is on its way.

They belong to runs and to logged models: `run_id` is the id of either. Whatever changes the artifacts of one is one
transaction under a lock of it. Content has a count of the artifacts
that show it; when the last one goes, its row becomes garbage, whose bytes somebody removes later.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

from stepwell_server.errors import InvalidArgumentError, InvalidStateError, NotFoundError
from stepwell_server.model.artifacts import (
    Addition,
    Arrival,
    DirectUpload,
    FileSpec,
    Garbage,
    KnownContent,
    Listed,
    OpenUpload,
    Place,
    StoredFile,
    Usage,
)
from stepwell_server.model.runs import LifecycleStage
from stepwell_server.store import sql
from stepwell_server.store.content import table_rows
from stepwell_server.store.content.keeping import require_unneeded
from stepwell_server.store.content.model_files import show_in_run
from stepwell_server.store.content.references import (
    add_contents,
    below,
    counted,
    discard,
    drop_references,
    garbage_in,
    lock,
    uuid_of,
)
from stepwell_server.store.postgres.pool import Connection, Pool

_QUERIES = sql.load("artifacts")


class PostgresArtifactStore:
    """Implements `artifact_ports.ArtifactStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def artifact_uri(self, run_id: UUID) -> str:
        """See `artifact_ports.ArtifactStore`."""
        async with self._pool.connection() as connection:
            return await _active_owner(connection, run_id)

    async def known(self, root: str, files: Sequence[FileSpec]) -> Sequence[KnownContent]:
        """See `artifact_ports.ArtifactStore`."""
        sizes = {file.sha256: file.size_bytes for file in files}
        async with self._pool.connection() as connection:
            rows = await connection.fetch(_QUERIES["find_contents"], root, list(sizes))
        return [
            KnownContent(uuid_of(row["content_id"]), row["sha256"], row["size_bytes"], row["key"])
            for row in rows
            if row["size_bytes"] == sizes[row["sha256"]]
        ]

    async def doubt(self, content_ids: Sequence[UUID]) -> None:
        """See `artifact_ports.ArtifactStore`."""
        async with self._pool.connection() as connection:
            await connection.execute(_QUERIES["doubt"], content_ids)

    async def link(
        self, run_id: UUID, root: str, files: Sequence[FileSpec], *, own_only: bool = False
    ) -> set[str]:
        """See `artifact_ports.ArtifactStore`."""
        async with self._pool.transaction() as connection:
            is_shown = await _lock_owner(connection, run_id, [file.path for file in files])
            query, owner = ("own_contents", (run_id,)) if own_only else ("known_contents", ())
            rows = await connection.fetch(_QUERIES[query], root, [file.sha256 for file in files], *owner)
            known = {(row["sha256"], row["size_bytes"]): uuid_of(row["content_id"]) for row in rows}
            shown = [
                (file, known[file.sha256, file.size_bytes])
                for file in files
                if (file.sha256, file.size_bytes) in known
            ]
            added = Counter(content_id for _, content_id in shown)
            await connection.execute(_QUERIES["add_references"], list(added), list(added.values()))
            await _show(connection, run_id, shown)
            if is_shown and shown:
                await show_in_run(connection, run_id)
        return {file.path for file, _ in shown}

    async def usage(
        self,
        run_id: UUID,
        root: str,
        files: Sequence[FileSpec],
        *,
        stored: bool,
        of_experiment: bool = False,
    ) -> Usage:
        """See `artifact_ports.ArtifactStore`."""
        paths, hashes = [file.path for file in files], [file.sha256 for file in files]
        async with self._pool.connection() as connection:
            announced = await connection.fetchrow(_QUERIES["announced"], root, run_id, paths, hashes)
            there = (
                await connection.fetchrow(_QUERIES["stored"], run_id, of_experiment) if stored else (0, 0, 0)
            )
        return Usage(*there, *announced)

    async def open_uploads(self, run_id: UUID, root: str, files: Sequence[FileSpec]) -> Sequence[OpenUpload]:
        """See `artifact_ports.ArtifactStore`."""
        ids = [uuid4() for _ in files]
        folder = ids[0].hex[:2] if ids else ""  # one for all: a folder store has to flush it only once
        if not files:
            return []
        async with self._pool.connection() as connection:
            rows = await connection.fetch(
                _QUERIES["open_uploads"],
                run_id,
                ids,
                [file.path for file in files],
                [file.size_bytes for file in files],
                [file.sha256 for file in files],
                [root] * len(files),
                [_key(folder, file, upload_id) for file, upload_id in zip(files, ids, strict=True)],
            )
        if not rows:
            raise _no_such_run(run_id)
        by_path = {row["path"]: _upload(row) for row in rows}
        return [by_path[file.path] for file in files]

    async def uploads(
        self, run_id: UUID, upload_ids: Sequence[UUID], *, came_through: bool = False
    ) -> Sequence[OpenUpload]:
        """See `artifact_ports.ArtifactStore`."""
        async with self._pool.connection() as connection:
            rows = await connection.fetch(_QUERIES["uploads"], run_id, upload_ids, came_through)
        found = {upload.upload_id: upload for upload in map(_upload, rows)}
        _require_open(upload_ids, found)
        return [found[upload_id] for upload_id in upload_ids]

    async def set_checked(self, run_id: UUID, upload_ids: Sequence[UUID]) -> None:
        """See `artifact_ports.ArtifactStore`."""
        async with self._pool.connection() as connection:
            await connection.execute(_QUERIES["set_checked"], run_id, upload_ids)

    async def open_arrival(self, run_id: UUID, root: str, path: str, announced_bytes: int) -> Arrival:
        """See `artifact_ports.ArtifactStore`."""
        upload_id = uuid4()
        # Whose hash nobody knows yet has none in its name.
        place = Place(root, f"{upload_id.hex[:2]}/{upload_id.hex}")
        async with self._pool.transaction() as connection:
            await _lock_owner(connection, run_id, [path])
            await connection.execute(
                _QUERIES["open_arrival"], run_id, upload_id, path, root, place.key, announced_bytes
            )
        return Arrival(run_id, upload_id, path, place, announced_bytes)

    async def announce(self, arrival: Arrival, announced_bytes: int) -> Arrival:
        """See `artifact_ports.ArtifactStore`."""
        async with self._pool.connection() as connection:
            await connection.execute(_QUERIES["announce"], arrival.run_id, arrival.upload_id, announced_bytes)
        return replace(arrival, announced_bytes=announced_bytes)

    async def arrival(self, run_id: UUID, upload_id: UUID) -> Arrival:
        """See `artifact_ports.ArtifactStore`."""
        async with self._pool.connection() as connection:
            row = await connection.fetchrow(_QUERIES["arrival"], run_id, upload_id)
        if row is None:
            raise _not_open(upload_id)
        place = Place(row["root"], row["key"])
        return Arrival(run_id, upload_id, row["path"], place, row["announced_bytes"], row["multipart_id"])

    async def set_multipart(self, arrival: Arrival, multipart_id: str) -> None:
        """See `artifact_ports.ArtifactStore`."""
        async with self._pool.connection() as connection:
            found = await connection.fetchval(
                _QUERIES["set_multipart"], arrival.run_id, arrival.upload_id, multipart_id
            )
        if not found:
            raise _not_open(arrival.upload_id)

    async def set_direct(self, upload: OpenUpload, direct: DirectUpload) -> DirectUpload:
        """See `artifact_ports.ArtifactStore`."""
        async with self._pool.transaction() as connection:
            row = await connection.fetchrow(_QUERIES["lock_upload"], upload.run_id, upload.upload_id)
            if row is None:
                raise _not_open(upload.upload_id)
            counts, unused = _upload(row).direct, direct
            if counts is None or counts == upload.direct:
                counts, unused = direct, counts
                await connection.execute(
                    _QUERIES["set_direct"], upload.run_id, upload.upload_id, direct.key, direct.multipart_id
                )
            if unused is not None:
                await discard(connection, [(Place(upload.place.root, unused.key), unused.multipart_id)])
        return counts

    async def complete(self, run_id: UUID, uploads: Sequence[OpenUpload]) -> None:
        """See `artifact_ports.ArtifactStore`."""
        async with self._pool.transaction() as connection:
            is_shown = await _lock_owner(connection, run_id, [upload.file.path for upload in uploads])
            await _complete(connection, run_id, uploads)
            if is_shown:
                await show_in_run(connection, run_id)

    async def add_rows(self, run_id: UUID, upload: OpenUpload, addition: Addition) -> bool:
        """See `artifact_ports.ArtifactStore`."""
        path = upload.file.path
        async with self._pool.transaction() as connection:
            await _lock_owner(connection, run_id, [path])
            if not await connection.fetchval(_QUERIES["keep_run"], run_id):
                raise InvalidArgumentError("rows are added to tables of runs, not of models")
            outcome = await table_rows.judge(connection, run_id, path, addition)
            if outcome is table_rows.Outcome.WANTED:
                await _complete(connection, run_id, [upload])
                await table_rows.note(connection, run_id, path, addition)
            else:
                await connection.fetchval(_QUERIES["abandon_uploads"], run_id, [upload.upload_id])
        return outcome is not table_rows.Outcome.STALE

    async def abandon(self, run_id: UUID, upload_ids: Sequence[UUID]) -> None:
        """See `artifact_ports.ArtifactStore`."""
        async with self._pool.connection() as connection:
            await connection.fetchval(_QUERIES["abandon_uploads"], run_id, upload_ids)

    async def abandon_idle(self, idle_ms: int, count_max: int) -> int:
        """See `artifact_ports.ArtifactStore`."""
        async with self._pool.connection() as connection:
            idle = await connection.fetch(_QUERIES["idle"], idle_ms, count_max)
            given_up = [(row["run_id"], row["upload_ids"], idle_ms) for row in idle]
            return sum(row[0] for row in await connection.fetchmany(_QUERIES["abandon_idle"], given_up))

    async def abandon_run(self, run_id: UUID, count_max: int) -> int:
        """See `artifact_ports.ArtifactStore`."""
        async with self._pool.connection() as connection:
            return int(await connection.fetchval(_QUERIES["abandon_run"], run_id, count_max))

    async def get(self, run_id: UUID, path: str) -> StoredFile:
        """See `artifact_ports.ArtifactStore`."""
        async with self._pool.connection() as connection:
            row = await connection.fetchrow(_QUERIES["get"], run_id, path)
        if row is None:
            raise NotFoundError(f"run or model {run_id.hex} has no artifact {path!r}")
        return StoredFile(
            row["path"],
            row["size_bytes"],
            row["sha256"],
            row["logged_time_ms"],
            Place(row["root"], row["key"]),
        )

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
        """See `artifact_ports.ArtifactStore`."""
        first, behind = below(folder)
        bounds = (run_id, max(first, start), behind, count_max)
        async with self._pool.connection() as connection:
            await _owner(connection, run_id)
            if recursive:
                rows = await connection.fetch(_QUERIES["list_below"], *bounds, own_only)
                return [_listed_below(row) for row in rows]
            rows = await connection.fetch(_QUERIES["list_folder"], *bounds, len(first), own_only)
        return [_listed(row) for row in rows]

    async def hide(self, run_id: UUID, path: str, count_max: int) -> tuple[int, Sequence[Garbage]]:
        """See `artifact_ports.ArtifactStore`."""
        async with self._pool.transaction() as connection:
            await lock(connection, run_id)
            await require_unneeded(connection, run_id, f"artifact {path or '/'!r}", path)
            rows = await connection.fetch(_QUERIES["hide"], run_id, path, *below(path), count_max)
            hidden = counted(rows)
            garbage = await drop_references(connection, hidden)
            if hidden:
                await show_in_run(connection, run_id)
        return sum(hidden.values()), garbage

    async def garbage(self, count_max: int, after: int) -> Sequence[Garbage]:
        """See `artifact_ports.ArtifactStore`."""
        async with self._pool.connection() as connection:
            rows = await connection.fetch(_QUERIES["garbage"], count_max, after)
        return garbage_in(rows)

    async def count_garbage(self) -> int:
        """Return in how many places there are bytes to be removed."""
        async with self._pool.connection() as connection:
            return int(await connection.fetchval(_QUERIES["count_garbage"]))

    async def forget_garbage(self, garbage_ids: Sequence[int]) -> None:
        """See `artifact_ports.ArtifactStore`."""
        async with self._pool.connection() as connection:
            await connection.execute(_QUERIES["forget_garbage"], garbage_ids)


async def _lock_owner(connection: Connection, run_id: UUID, paths: Sequence[str]) -> bool:
    """Keep others from changing the artifacts of a run or model, and check that it may get these paths.

    Tells whether they show in a run, too: that of a model which is ready.
    """
    await lock(connection, run_id)
    is_shown = False
    if not await connection.fetchval(_QUERIES["keep_run"], run_id):
        is_shown = bool(await connection.fetchval(_QUERIES["keep_model"], run_id))
    await _active_owner(connection, run_id)
    conflict = await connection.fetchrow(_QUERIES["conflicts"], run_id, paths)
    if conflict is not None:
        raise InvalidArgumentError(
            f"artifact path {conflict['path']!r} does not go together with {conflict['other']!r}, which is there: "
            "one would be a file and a folder at once; choose another path, or remove the other"
        )
    return is_shown


async def _active_owner(connection: Connection, run_id: UUID) -> str:
    """Return where the artifacts of a run, or a logged model, go."""
    owner = await _owner(connection, run_id)
    if owner["lifecycle_stage"] == LifecycleStage.DELETED.value:
        raise InvalidStateError(f"{owner['name']} is deleted; restore it before logging artifacts to it")
    uri: str = owner["artifact_uri"]
    return uri


async def _owner(connection: Connection, run_id: UUID) -> Any:
    row = await connection.fetchrow(_QUERIES["owner"], run_id)
    if row is None:
        raise _no_such_run(run_id)
    return row


async def _complete(connection: Connection, run_id: UUID, uploads: Sequence[OpenUpload]) -> None:
    """Make uploads visible, under the lock of the run."""
    ids = [upload.upload_id for upload in uploads]
    rows = await connection.fetch(_QUERIES["close_uploads"], run_id, ids)
    closed = {upload.upload_id: upload for upload in map(_upload, rows)}
    _require_open(ids, closed)
    for upload in uploads:
        _require_place(closed[upload.upload_id], upload.place)
    await discard(
        connection, [it for upload in uploads for it in _rest(closed[upload.upload_id], upload.place)]
    )
    contents = await add_contents(connection, uploads)
    shown = [(upload.file, contents[upload.place.root, upload.file.sha256]) for upload in uploads]
    await _show(connection, run_id, shown)


async def _show(connection: Connection, run_id: UUID, shown: Sequence[tuple[FileSpec, UUID]]) -> None:
    """Let paths show contents whose counts include them already; what they showed before loses a count."""
    if not shown:
        return
    paths = [file.path for file, _ in shown]
    rows = await connection.fetch(_QUERIES["replaced"], run_id, paths)
    sizes = [file.size_bytes for file, _ in shown]
    await connection.execute(_QUERIES["show"], run_id, paths, [content_id for _, content_id in shown], sizes)
    await drop_references(connection, counted(rows))


def _rest(upload: OpenUpload, used: Place) -> Iterator[tuple[Place, str | None]]:
    """What an upload may have left beside the place that is used in the end."""
    if upload.direct is not None and upload.direct.key != used.key:
        yield Place(used.root, upload.direct.key), upload.direct.multipart_id
    if upload.came_through and upload.place.key != used.key:
        yield upload.place, None


def _key(folder: str, file: FileSpec, upload_id: UUID) -> str:
    """Return a name for bytes that was never used: people can check the hash in it, the id makes it unique."""
    return f"{folder}/{file.sha256.hex()}-{upload_id.hex[:16]}"


def _require_open(upload_ids: Sequence[UUID], found: Any) -> None:
    for upload_id in upload_ids:
        if upload_id not in found:
            raise _not_open(upload_id)


def _require_place(upload: OpenUpload, place: Place) -> None:
    """What was verified has to be what the upload holds now: it may have begun anew meanwhile, elsewhere."""
    if place.key not in (upload.place.key, upload.direct.key if upload.direct else None):
        raise _not_open(upload.upload_id)


def _not_open(upload_id: UUID) -> NotFoundError:
    return NotFoundError(
        f"upload {upload_id.hex} is not open: it was completed or given up; begin the upload again"
    )


def _no_such_run(run_id: UUID) -> NotFoundError:
    return NotFoundError(f"there is no run with id {run_id.hex}, and no model of this id")


def _upload(row: Any) -> OpenUpload:
    return OpenUpload(
        run_id=uuid_of(row["run_id"]),
        upload_id=uuid_of(row["upload_id"]),
        file=FileSpec(row["path"], row["size_bytes"], row["sha256"]),
        place=Place(row["root"], row["key"]),
        # Without a key of its own: from a server before 0.2.
        direct=DirectUpload(row["direct_key"] or row["key"], row["multipart_id"])
        if row["multipart_id"]
        else None,
        came_through=row["came_through"],
        is_checked=row["is_checked"],
    )


def _listed(row: Any) -> Listed:
    if row["is_folder"]:
        return Listed(row["path"], True)
    # A file that was removed while the page was read has no row any more.
    return Listed(
        row["path"], False, row["size_bytes"] or 0, row["sha256"] or b"", row["logged_time_ms"] or 0
    )


def _listed_below(row: Any) -> Listed:
    place = Place(row["root"], row["key"])
    return Listed(row["path"], False, row["size_bytes"], row["sha256"], row["logged_time_ms"], place)
