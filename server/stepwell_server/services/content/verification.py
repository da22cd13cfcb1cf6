"""Reads stored content again, and finds what is missing or damaged."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Coroutine, Mapping, Sequence
from contextlib import aclosing, nullcontext
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from stepwell_server.errors import StepwellError, UnavailableError
from stepwell_server.model.artifacts import MIB, BrokenContent, StoredContent, VerificationProgress
from stepwell_server.process.joined import watched
from stepwell_server.store.ports.artifacts import ContentStores, VerificationStore

# Contents that are looked up together, and of them how many are read at once, each in pieces of 512 KiB. Small ones are
# waited for, large ones keep the processor and the network busy.
PAGE_CONTENTS = 2_000
READS_AT_ONCE = 16
SMALL_BYTES = MIB
LARGE_READS_AT_ONCE = 4
# How often it is said how far it is.
PROGRESS_S = 0.2
# Broken contents that one message names, each with up to 20 artifacts.
BROKEN_AT_ONCE = 50


@dataclass(slots=True)
class _Seen:
    """What was read so far, in contents and bytes by root, and what is wrong on this page."""

    count: int = 0
    size: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    sizes: Counter[str] = field(default_factory=Counter)
    problems: dict[UUID, str] = field(default_factory=dict)
    unseen: set[UUID] = field(default_factory=set)


class VerificationService:
    """Verifies the content of one run, or of all, one verification at a time."""

    def __init__(self, store: VerificationStore, contents: ContentStores) -> None:
        self._store = store
        self._contents = contents
        self._is_busy = False
        self._room_of_large = asyncio.Semaphore(LARGE_READS_AT_ONCE)

    async def verify(self, run_id: UUID | None, *, repair: bool) -> AsyncGenerator[VerificationProgress]:
        """Read all content and yield how far it is, with what is wrong since the last time it was said.

        `repair` notes what was found: the next bytes that somebody logs take the place of what is missing or damaged,
        and what was doubted and is right counts again. What cannot be looked at now is told, and not noted.

        Raises:
            NotFoundError: there is no such run.
            UnavailableError: another verification is under way.
        """
        if self._is_busy:
            raise UnavailableError("another verification is under way on this server; wait for it")
        self._is_busy = True
        try:
            total = await self._store.count_contents(run_id)
            after, seen = None, _Seen()
            while page := await self._store.contents(run_id, after, PAGE_CONTENTS):
                after = page[-1].content_id
                async with (
                    aclosing(self._looks(page, seen)) as looks,
                    aclosing(watched(looks, READS_AT_ONCE, PROGRESS_S)) as steps,
                ):
                    async for _ in steps:
                        yield VerificationProgress(*total, seen.count, seen.size)
                broken = await self._still_broken(page, seen.problems)
                if repair:
                    await self._note(page, broken, seen.unseen)
                named = list(broken.values())
                for start in range(0, len(named), BROKEN_AT_ONCE):
                    some = named[start : start + BROKEN_AT_ONCE]
                    yield VerificationProgress(*total, seen.count, seen.size, some)
                seen.problems.clear()
                seen.unseen.clear()
            places = {root: (seen.counts[root], seen.sizes[root]) for root in sorted(seen.counts)}
            yield VerificationProgress(*total, seen.count, seen.size, places=places)
        finally:
            self._is_busy = False

    async def _looks(
        self, page: Sequence[StoredContent], seen: _Seen
    ) -> AsyncGenerator[Coroutine[Any, Any, None]]:
        for content in page:
            yield self._look(content, seen)

    async def _look(self, content: StoredContent, seen: _Seen) -> None:
        root, size = content.place.root, content.file.size_bytes
        try:
            store = await self._contents.open(root)
            async with self._room_of_large if size > SMALL_BYTES else nullcontext():
                problem = await store.verify(content.place.key, content.file)
        except StepwellError as error:
            problem = f"it cannot be read now: {error}"
            seen.unseen.add(content.content_id)
        if problem:
            seen.problems[content.content_id] = problem
        seen.count, seen.size = seen.count + 1, seen.size + size
        seen.counts[root] += 1
        seen.sizes[root] += size

    async def _still_broken(
        self, page: Sequence[StoredContent], problems: Mapping[UUID, str]
    ) -> Mapping[UUID, BrokenContent]:
        """Say what shows broken content; what was removed or replaced while it was read is not."""
        if not problems:
            return {}
        shown = await self._store.shown(list(problems))
        broken = {}
        for it in page:
            key, count, artifacts = shown.get(it.content_id, ("", 0, ()))
            if it.content_id in problems and key == it.place.key:
                problem = problems[it.content_id]
                broken[it.content_id] = BrokenContent(
                    it.place, it.file.sha256, it.file.size_bytes, problem, count, artifacts
                )
        return broken

    async def _note(
        self, page: Sequence[StoredContent], broken: Mapping[UUID, BrokenContent], unseen: set[UUID]
    ) -> None:
        await self._store.set_verified([it for it in broken if it not in unseen], False)
        right = [
            it.content_id
            for it in page
            if not it.is_verified and it.content_id not in broken and it.content_id not in unseen
        ]
        await self._store.set_verified(right, True)
