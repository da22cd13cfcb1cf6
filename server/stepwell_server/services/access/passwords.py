"""Passwords: checked before they are set, hashed with argon2 beside the event loop."""

import asyncio
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from stepwell_server.errors import ExhaustedError, InvalidArgumentError
from stepwell_server.model.access import PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN

# Hashes that are computed at once; each takes 64 MiB and a core for some 50 ms.
HASHES_AT_ONCE = 2
# Of all, and of one account or address, under way or in line: who comes later is told to come again.
HASHES_MAX = 40
HASHES_OF_ONE_MAX = 8
RETRY_AFTER_S = 1.0

T = TypeVar("T")


class Passwords:
    """Hashes and compares, a few at a time. Raises ExhaustedError when too many wait, of one (`whose`) or of all."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._room = asyncio.Semaphore(HASHES_AT_ONCE)
        self._under_way: Counter[str] = Counter()

    async def hash(self, password: str, whose: str) -> str:
        """Return what is stored of a password. Raises InvalidArgumentError for one that is too short or too long."""
        if not PASSWORD_CHARS_MIN <= len(password) <= PASSWORD_CHARS_MAX:
            raise InvalidArgumentError(
                f"a password has {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX:,} characters, not {len(password):,}"
            )
        return await self._beside(whose, lambda: self._hasher.hash(password))

    async def matches(self, hashed: str | None, password: str, whose: str) -> bool:
        """Tell whether a password is the one that was hashed; takes as long where there is none."""
        return await self._beside(whose, lambda: self._verify(hashed, password)) and hashed is not None

    async def _beside(self, whose: str, work: Callable[[], T]) -> T:
        """Return what work returns. It counts until it is done, also when nobody waits for it any more."""
        if self._under_way.total() >= HASHES_MAX or self._under_way[whose] >= HASHES_OF_ONE_MAX:
            raise ExhaustedError(
                "too many passwords are being looked at; try again in a second", RETRY_AFTER_S
            )
        self._under_way[whose] += 1
        return await asyncio.shield(asyncio.create_task(self._in_turn(whose, work)))

    async def _in_turn(self, whose: str, work: Callable[[], T]) -> T:
        try:
            async with self._room:
                return await asyncio.to_thread(work)
        finally:
            self._under_way[whose] -= 1
            if not self._under_way[whose]:
                del self._under_way[whose]

    def _verify(self, hashed: str | None, password: str) -> bool:
        nobodys = _nobodys(self._hasher)  # whoever is the first waits for it, known or not
        try:
            return self._hasher.verify(hashed or nobodys, password[: PASSWORD_CHARS_MAX + 1])
        except (VerificationError, InvalidHashError):
            return False


@cache
def _nobodys(hasher: PasswordHasher) -> str:
    """Return a hash that stands for accounts that there are not."""
    return hasher.hash("nobody's password")
