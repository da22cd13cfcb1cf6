"""One writer a key: who comes later takes over, as its client has come back and does not hear the former any more."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any


class OneWriter:
    """The calls of this process that write, by what they write."""

    def __init__(self) -> None:
        self._writers: dict[str, asyncio.Task[Any]] = {}

    @asynccontextmanager
    async def of(self, key: str) -> AsyncIterator[None]:
        """End the call that writes the key already, and be the one that does while the context lasts."""
        task = asyncio.current_task()
        assert task is not None
        former = self._writers.get(key)
        self._writers[key] = task
        try:
            if former is not None:
                former.cancel()
                await asyncio.wait([former])
            yield
        finally:
            if self._writers.get(key) is task:
                del self._writers[key]
