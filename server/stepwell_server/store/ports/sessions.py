"""What signing in asks of the store. All methods raise `UnavailableError` when the database cannot be reached."""

from typing import Protocol

from stepwell_server.model.sessions import LetIn, Session, Way


class SessionStore(Protocol):
    """Sessions of browsers, by the SHA-256 of their secrets."""

    async def begin(
        self,
        sha256: bytes,
        account_id: int,
        token_id: int | None,
        way: Way,
        *,
        idle_s: float,
        s_max: float,
        sessions_max: int,
    ) -> None:
        """Begin a session. Removes those that have ended, and the oldest of the account beyond `sessions_max`."""
        ...

    async def find(self, sha256: bytes, *, idle_s: float, s_max: float, touch_s: float) -> Session | None:
        """Return a session that was seen in the last `idle_s` and is not `s_max` old.

        That it is seen is noted every `touch_s`.
        """
        ...

    async def end(self, sha256: bytes) -> None:
        """End a session, if there is one."""
        ...

    async def end_all(self, account_id: int) -> int:
        """End all sessions of an account; returns how many."""
        ...


class LoginCodeStore(Protocol):
    """Programs that somebody let in."""

    async def confirm(
        self, code: str, account_id: int, token_name: str, *, s_max: float, codes_max: int
    ) -> bool:
        """Let the program of a code in; tells whether nobody did before.

        Removes codes that are `s_max` old, and of the account all but the latest `codes_max`.
        """
        ...

    async def take(self, code: str, *, s_max: float) -> LetIn | None:
        """Return who let the program of a code in, within `s_max`; once."""
        ...
