"""Removes what nobody refers to: bytes of deleted and replaced artifacts, and uploads that nobody goes on with."""

import asyncio
from collections import Counter
from collections.abc import Sequence

from stepwell_server.config import ARTIFACT_UPLOAD_IDLE_S_DEFAULT
from stepwell_server.errors import StepwellError
from stepwell_server.model.artifacts import Garbage
from stepwell_server.process.logger import get_logger
from stepwell_server.process.rounds import Rounds
from stepwell_server.store.ports.artifacts import ArtifactStore, ContentStores

SWEEP_INTERVAL_S = 60.0
# Bytes are removed in steps, so that each can be interrupted and repeated.
STEP_COUNT_MAX = 200
REMOVALS_AT_ONCE = 32
# After so many failures a sweep gives a root up; fewer are single things that cannot be removed.
ROOT_FAILURES_MAX = 20

log = get_logger(__name__)


class ArtifactSweeper(Rounds):
    """Sweeps while the context lasts. Several servers may sweep one database: removing twice does no harm."""

    name = "sweeping artifacts"

    def __init__(
        self,
        store: ArtifactStore,
        contents: ContentStores,
        upload_idle_s: float = ARTIFACT_UPLOAD_IDLE_S_DEFAULT,
    ) -> None:
        # Often enough for what it looks for, and never busy.
        super().__init__(min(SWEEP_INTERVAL_S, max(0.1, upload_idle_s / 2)))
        self._store = store
        self._contents = contents
        self._upload_idle_ms = round(upload_idle_s * 1_000)
        self._room = asyncio.Semaphore(REMOVALS_AT_ONCE)
        # What others remove just now; a sweep leaves it to them.
        self._in_hand = set[int]()

    async def round(self) -> None:
        """Give idle uploads up, and remove all garbage that can be removed."""
        while await self._store.abandon_idle(self._upload_idle_ms, STEP_COUNT_MAX) == STEP_COUNT_MAX:
            pass
        await self.remove_garbage()

    async def remove_garbage(self) -> None:
        """Remove all bytes that nothing refers to. What cannot be removed now stays noted for the next sweep."""
        after, failures = 0, Counter[str]()
        while True:
            found = await self._store.garbage(STEP_COUNT_MAX, after)
            await self._remove_step([it for it in found if it.garbage_id not in self._in_hand], failures)
            if len(found) < STEP_COUNT_MAX:
                return
            after = found[-1].garbage_id

    async def remove(self, garbage: Sequence[Garbage]) -> None:
        """Remove these bytes at once. What cannot be removed now stays noted for the next sweep."""
        ids, failures = {it.garbage_id for it in garbage}, Counter[str]()
        self._in_hand |= ids
        try:
            for start in range(0, len(garbage), STEP_COUNT_MAX):
                await self._remove_step(garbage[start : start + STEP_COUNT_MAX], failures)
        finally:
            self._in_hand -= ids

    async def _remove_step(self, found: Sequence[Garbage], failures: Counter[str]) -> None:
        await self._store.forget_garbage(await self._remove_all(found, failures))

    async def _remove_all(self, found: Sequence[Garbage], failures: Counter[str]) -> Sequence[int]:
        """Remove bytes and return the ids of those that are gone; `failures` counts the others by root."""
        gone = await asyncio.gather(*(self._remove(garbage, failures) for garbage in found))
        return [garbage.garbage_id for garbage, is_gone in zip(found, gone, strict=True) if is_gone]

    async def _remove(self, garbage: Garbage, failures: Counter[str]) -> bool:
        root = garbage.place.root
        async with self._room:
            if failures[root] >= ROOT_FAILURES_MAX:
                return False
            try:
                content = await self._contents.open(root)
                await content.remove(garbage.place.key, garbage.multipart_id)
            except StepwellError as error:
                log.warning("bytes could not be removed", root=root, reason=str(error))
                failures[root] += 1
                return False
        return True
