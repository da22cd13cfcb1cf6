"""Work that is done again and again, beside all else, while a server runs."""

import asyncio
from abc import ABC, abstractmethod
from contextlib import suppress
from types import TracebackType
from typing import ClassVar, Self

from stepwell_server.errors import StepwellError
from stepwell_server.process.logger import get_logger

log = get_logger(__name__)


class Rounds(ABC):
    """Does rounds while the context lasts, one after the other. One that fails is told; the next tries again.

    Leaving the context stops at once: what is under way is undone by the database.
    """

    # What it does, for the log.
    name: ClassVar[str]

    def __init__(self, pause_s: float) -> None:
        """`pause_s` is from the end of one round to the start of the next."""
        self._pause_s = pause_s

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name=self.name)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    @abstractmethod
    async def round(self) -> None:
        """Do what there is to do."""

    async def _run(self) -> None:
        while True:
            try:
                await self.round()
            except StepwellError as error:
                log.warning("a round could not be done", work=self.name, reason=str(error))
            except Exception as error:
                log.error("a round failed", work=self.name, exc_info=error)
            await asyncio.sleep(self._pause_s)
