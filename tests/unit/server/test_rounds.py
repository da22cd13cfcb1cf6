"""Work in rounds goes on, whatever one of them ends with."""

import asyncio

import pytest

from stepwell_server.errors import UnavailableError
from stepwell_server.process.rounds import Rounds


class Ends(Rounds):
    """Ends its rounds with what is left of a list, and says when that is empty."""

    name = "counting"

    def __init__(self, ends: list[Exception | None]) -> None:
        super().__init__(0.0)
        self._ends = ends
        self.done = asyncio.Event()
        self.cancelled = False

    async def round(self) -> None:
        if not self._ends:
            self.done.set()
            try:
                await asyncio.Event().wait()
            finally:
                self.cancelled = True
        if error := self._ends.pop(0):
            raise error


@pytest.mark.parametrize("error", [UnavailableError("away"), ValueError("a bug")])
async def test_a_round_that_fails_is_not_the_last(error: Exception) -> None:
    async with asyncio.timeout(20), Ends([None, error, error, None]) as rounds:
        await rounds.done.wait()
    assert rounds.cancelled
