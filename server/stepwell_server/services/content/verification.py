"""Reads stored content again, and finds what is missing or damaged."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from uuid import UUID

from stepwell_server.errors import StepwellError, UnavailableError
from stepwell_server.model.artifacts import BrokenContent, StoredContent, VerificationProgress
from stepwell_server.store.ports.artifacts import ContentStores, VerificationStore

# Contents that are looked up together, and of them how many are read at once, each in pieces of 512 KiB.
PAGE_CONTENTS = 500
READS_AT_ONCE = 4
# How often it is said how far it is, at most.
PROGRESS_S = 0.2


class VerificationService:
    """Verifies the content of one run, or of all, one verification at a time."""

    def __init__(self, store: VerificationStore, contents: ContentStores) -> None:
        self._store = store
        self._contents = contents
        self._is_busy = False

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
            total_count, total_bytes = await self._store.count_contents(run_id)
            count, size, after, said_s = 0, 0, None, 0.0
            counts, sizes = Counter[str](), Counter[str]()
            while page := await self._store.contents(run_id, after, PAGE_CONTENTS):
                after = page[-1].content_id
                for it in page:
                    counts[it.place.root] += 1
                    sizes[it.place.root] += it.file.size_bytes
                problems: dict[UUID, str] = {}
                unseen: set[UUID] = set()
                for start in range(0, len(page), READS_AT_ONCE):
                    group = page[start : start + READS_AT_ONCE]
                    await asyncio.gather(*(self._look(content, problems, unseen) for content in group))
                    count, size = count + len(group), size + sum(it.file.size_bytes for it in group)
                    if time.monotonic() - said_s >= PROGRESS_S:
                        said_s = time.monotonic()
                        yield VerificationProgress(total_count, total_bytes, count, size)
                broken = await self._still_broken(page, problems)
                if repair:
                    await self._note(page, broken, unseen)
                if broken:
                    yield VerificationProgress(total_count, total_bytes, count, size, list(broken.values()))
            places = {root: (counts[root], sizes[root]) for root in sorted(counts)}
            yield VerificationProgress(total_count, total_bytes, count, size, places=places)
        finally:
            self._is_busy = False

    async def _look(self, content: StoredContent, problems: dict[UUID, str], unseen: set[UUID]) -> None:
        try:
            store = await self._contents.open(content.place.root)
            problem = await store.verify(content.place.key, content.file)
        except StepwellError as error:
            problem = f"it cannot be read now: {error}"
            unseen.add(content.content_id)
        if problem:
            problems[content.content_id] = problem

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
