"""Moves the artifacts of an experiment to another place: copied, checked, shown from there, and then removed here.

A copy is an upload of the server's own: what arrived of it stays for the next attempt, and is given up with other
uploads for which nothing happens.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from stepwell_server.errors import BusyError, InvalidArgumentError, StepwellError
from stepwell_server.model.artifacts import MIB, FileSpec, OpenUpload, Piece, Place, StoredContent
from stepwell_server.model.moves import Copied, Misplaced, MoveProgress, Owner, Unmoved
from stepwell_server.process.joined import all_of, watched
from stepwell_server.services.content.lost import doubt_lost
from stepwell_server.services.content.uploads import noted
from stepwell_server.store.ports.artifacts import ArtifactStore, ContentStore, ContentStores
from stepwell_server.store.ports.moves import MoveStore

# Owners and artifacts that are looked up together. For owners, all artifacts of the experiment are looked at each time.
PAGE_OWNERS = 10_000
PAGE_ARTIFACTS = 500
# What is copied before it is shown: so many bytes, or one larger file. Several groups at once: one reads while another
# one writes and a third one waits for the database; of runs with few files each is a group.
GROUP_BYTES = 64 * MIB
GROUP_ARTIFACTS = 100
GROUPS_AT_ONCE = 4
# Files of which as many as a group has are sent together.
TINY_BYTES = MIB // 16
# Small files wait for disks and answers; large ones need memory, up to two parts of a bucket's each.
SMALL_BYTES = MIB
SMALL_COPIES_AT_ONCE = 32
LARGE_COPIES_AT_ONCE = 2
# How often it is said how far it is.
PROGRESS_S = 0.5
FIRST_ID = UUID(int=0)
OTHER_BYTES = "the bytes there are not those that were logged"


class _LostSourceError(StepwellError):
    """The bytes that are to be moved cannot be read."""


@dataclass(slots=True)
class _Sums:
    """What a move has done so far, in artifacts and bytes; what was `left` since it was last said."""

    count: int = 0
    size: int = 0
    left: list[Unmoved] = field(default_factory=list)


class MoveService:
    """Moves artifacts, one move of an experiment at a time. Raises what its ports say."""

    def __init__(self, store: MoveStore, artifacts: ArtifactStore, contents: ContentStores) -> None:
        self._store = store
        self._artifacts = artifacts
        self._contents = contents
        self._moving: set[int] = set()
        self._room_of_small = asyncio.Semaphore(SMALL_COPIES_AT_ONCE)
        self._room_of_large = asyncio.Semaphore(LARGE_COPIES_AT_ONCE)

    async def move(
        self, experiment_id: int, place: str, *, dry_run: bool = False
    ) -> AsyncGenerator[MoveProgress]:
        """Let artifacts go to a place from now on, move there what there is, and yield how far it is.

        What cannot be moved because it is lost or damaged stays where it is, and is told.

        Raises:
            NotFoundError: there is no such experiment.
            InvalidArgumentError: this server does not allow the place.
            UnavailableError: the place cannot take it now, or the experiment is moved already; moving again goes on.
        """
        root = self._contents.destination(place)
        target = await self._contents.open(root)
        total = await self._store.count_elsewhere(experiment_id, root)
        if dry_run:
            yield MoveProgress(
                root, *total, open_uploads=await self._store.count_uploads(experiment_id, root)
            )
            return
        if experiment_id in self._moving:
            raise BusyError(f"experiment {experiment_id} is being moved already; wait for the end of that")
        self._moving.add(experiment_id)
        try:
            is_own = root == self._contents.destination("")
            await self._store.relocate(experiment_id, "" if is_own else root)
            sums = _Sums()
            async with (
                aclosing(self._moves(experiment_id, root, target, sums)) as moves,
                aclosing(watched(moves, GROUPS_AT_ONCE, PROGRESS_S)) as steps,
            ):
                async for _ in steps:
                    left, sums.left = sums.left, []
                    yield MoveProgress(root, *total, sums.count, sums.size, left)
            on_their_way = await self._store.count_uploads(experiment_id, root)
            yield MoveProgress(root, *total, sums.count, sums.size, sums.left, on_their_way)
        finally:
            self._moving.discard(experiment_id)

    async def _moves(
        self, experiment_id: int, root: str, target: ContentStore, sums: _Sums
    ) -> AsyncGenerator[Coroutine[Any, Any, None]]:
        """Yield the move of each group; what is elsewhere is looked up as they are made."""
        last_owner = FIRST_ID
        while owners := await self._store.owners(experiment_id, root, last_owner, PAGE_OWNERS):
            last_owner = owners[-1].owner_id
            for owner in owners:
                last_path, is_full = "", True
                while is_full:
                    page = await self._store.elsewhere(owner.owner_id, root, last_path, PAGE_ARTIFACTS)
                    is_full = len(page) == PAGE_ARTIFACTS
                    last_path = page[-1].path if page else ""
                    for group in _groups(page):
                        yield self._move_group(owner, root, target, group, sums)

    async def _move_group(
        self,
        owner: Owner,
        root: str,
        target: ContentStore,
        group: Sequence[Misplaced],
        sums: _Sums,
    ) -> None:
        """Copy what is not in the new place, and show it from there."""
        owner_id, contents = owner.owner_id, {it.content.content_id: it.content for it in group}
        paths = {id_: [it.path for it in group if it.content.content_id == id_] for id_ in contents}
        known = await self._known(root, [it.file for it in contents.values()])
        missing = [it for it in contents.values() if (it.file.sha256, it.file.size_bytes) not in known]
        # No path of an artifact begins with a slash: nobody's upload is taken for one of these.
        files = [replace(it.file, path=f"/{it.content_id.hex}") for it in missing]
        opened = await self._artifacts.open_uploads(owner_id, root, files)
        uploads = dict(zip((it.content_id for it in missing), opened, strict=True))
        failed = await self._copy_all(missing, uploads, target, sums)
        if failed:
            await self._artifacts.abandon(owner_id, [uploads[id_].upload_id for id_ in failed])
        copied = [
            Copied(paths[id_], content, uploads.get(id_))
            for id_, content in contents.items()
            if id_ not in failed
        ]
        await self._store.show_instead(owner_id, root, copied)
        sums.count += sum(len(it.paths) for it in copied)
        # What is shown by several paths, or was there, did not travel (again).
        sums.size += sum(
            it.content.file.size_bytes * (len(it.paths) - (it.upload is not None)) for it in copied
        )
        sums.left += [
            Unmoved(problem, contents[id_], owner, paths[id_][0]) for id_, problem in failed.items()
        ]

    async def _known(self, root: str, files: Sequence[FileSpec]) -> set[tuple[bytes, int]]:
        """Return hashes and sizes of the contents that are in the new place, looked up there."""
        await doubt_lost(self._artifacts, self._contents, root, files)
        return {(it.sha256, it.size_bytes) for it in await self._artifacts.known(root, files)}

    async def _copy_all(
        self,
        missing: Sequence[StoredContent],
        uploads: Mapping[UUID, OpenUpload],
        target: ContentStore,
        sums: _Sums,
    ) -> Mapping[UUID, str]:
        """Copy contents, the tiny ones together; returns what is wrong with those that cannot be."""
        tiny = [it for it in missing if it.file.size_bytes <= TINY_BYTES]
        found = await all_of([self._tiny(it) for it in tiny])
        problems = {it.content_id: problem for it, (_, problem) in zip(tiny, found, strict=True)}
        whole = [
            (uploads[it.content_id].place.key, data)
            for it, (data, problem) in zip(tiny, found, strict=True)
            if not problem
        ]
        if whole:
            await target.write_small(whole)
            sums.size += sum(len(data) for _, data in whole)
        rest = [it for it in missing if it.file.size_bytes > TINY_BYTES]
        copied = await all_of([self._copy(it, uploads[it.content_id], target, sums) for it in rest])
        problems |= dict(zip((it.content_id for it in rest), copied, strict=True))
        return {id_: problem for id_, problem in problems.items() if problem}

    async def _tiny(self, content: StoredContent) -> tuple[bytes, str]:
        """Return all of a content, and what is wrong with it, "" if nothing."""
        async with self._room_of_small:
            try:
                async with aclosing(self._read(content.place, 0)) as pieces:
                    data = b"".join([bytes(piece) async for piece in pieces])
            except _LostSourceError as lost:
                return b"", str(lost)
        return data, "" if hashlib.sha256(data).digest() == content.file.sha256 else OTHER_BYTES

    async def _copy(
        self, content: StoredContent, upload: OpenUpload, target: ContentStore, sums: _Sums
    ) -> str:
        """Copy content, from where an earlier attempt ended; returns what is wrong with it, "" if nothing."""

        async def note() -> None:
            await self._artifacts.uploads(upload.run_id, [upload.upload_id])

        travelled = 0

        async def counted(pieces: AsyncIterator[Piece]) -> AsyncGenerator[Piece]:
            nonlocal travelled
            async for piece in pieces:
                travelled += len(piece)
                sums.size += len(piece)
                yield piece

        async with self._room_of_small if content.file.size_bytes <= SMALL_BYTES else self._room_of_large:
            key = upload.place.key
            offset = min(await target.held_bytes(key, upload.file), upload.file.size_bytes)
            travelled += offset
            sums.size += offset
            try:
                async with (
                    aclosing(self._read(content.place, offset)) as read,
                    aclosing(noted(counted(read), note)) as pieces,
                ):
                    await target.write(key, offset, pieces, upload.file)
                return ""
            except _LostSourceError as lost:
                problem = str(lost)
            except InvalidArgumentError:
                problem = OTHER_BYTES
            sums.size -= travelled
            return problem

    async def _read(self, place: Place, offset: int) -> AsyncGenerator[Piece]:
        """Yield what is stored; what goes wrong with that is told apart from what goes wrong in the new place."""
        try:
            source = await self._contents.open(place.root)
            async with aclosing(source.read(place.key, offset)) as pieces:  # type: ignore[type-var]  # a generator
                async for piece in pieces:
                    yield piece
        except StepwellError as error:
            raise _LostSourceError(str(error)) from error


def _groups(page: Sequence[Misplaced]) -> Iterator[Sequence[Misplaced]]:
    """Cut a page into what is copied together."""
    group: list[Misplaced] = []
    for it in page:
        group.append(it)
        if (
            sum(each.content.file.size_bytes for each in group) >= GROUP_BYTES
            or len(group) == GROUP_ARTIFACTS
        ):
            yield group
            group = []
    if group:
        yield group
