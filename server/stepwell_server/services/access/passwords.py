"""Passwords: checked before they are set, hashed with argon2 beside the event loop."""

import asyncio
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.model.access import PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN

# Hashes that are computed at once; each takes 64 MiB and a core for some 50 ms.
HASHES_AT_ONCE = 2


class Passwords:
    """Hashes and compares, a few at a time."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._room = asyncio.Semaphore(HASHES_AT_ONCE)

    async def hash(self, password: str) -> str:
        """Return what is stored of a password. Raises InvalidArgumentError for one that is too short or too long."""
        if not PASSWORD_CHARS_MIN <= len(password) <= PASSWORD_CHARS_MAX:
            raise InvalidArgumentError(
                f"a password has {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX:,} characters, not {len(password):,}"
            )
        async with self._room:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def matches(self, hashed: str | None, password: str) -> bool:
        """Tell whether a password is the one that was hashed; takes as long where there is none."""
        async with self._room:
            found = await asyncio.to_thread(self._verify, hashed or _nobodys(self._hasher), password)
        return found and hashed is not None

    def _verify(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, password[: PASSWORD_CHARS_MAX + 1])
        except (VerificationError, InvalidHashError):
            return False


@cache
def _nobodys(hasher: PasswordHasher) -> str:
    """Return a hash that stands for accounts that there are not."""
    return hasher.hash("nobody's password")
