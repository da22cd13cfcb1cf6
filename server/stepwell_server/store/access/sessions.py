"""Sessions of browsers, and programs that somebody let in, in PostgreSQL."""

from typing import Any

from stepwell_server.model.access import AccountKind, Caller, Scope, Shown
from stepwell_server.model.sessions import LetIn, Session, Way
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.sql import load

_SQL = load("sessions")


class PostgresSessionStore:
    """Implements `ports.SessionStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

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
        """See `ports.SessionStore`."""
        async with self._pool.transaction() as connection:
            await connection.execute(_SQL["forget"], _ms(idle_s), _ms(s_max))
            await connection.execute(_SQL["begin"], sha256, account_id, token_id, way.value)
            await connection.execute(_SQL["keep_latest"], account_id, sessions_max)

    async def find(self, sha256: bytes, *, idle_s: float, s_max: float, touch_s: float) -> Session | None:
        """See `ports.SessionStore`."""
        async with self._pool.connection() as connection:
            row = await connection.fetchrow(_SQL["find"], sha256, _ms(idle_s), _ms(s_max), _ms(touch_s))
        return row and _session(row)

    async def end(self, sha256: bytes) -> None:
        """See `ports.SessionStore`."""
        async with self._pool.connection() as connection:
            await connection.execute(_SQL["end"], sha256)

    async def end_all(self, account_id: int) -> int:
        """See `ports.SessionStore`."""
        async with self._pool.connection() as connection:
            ended: int = await connection.fetchval(_SQL["end_all"], account_id)
        return ended


class PostgresLoginCodeStore:
    """Implements `ports.LoginCodeStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def confirm(
        self, code: str, account_id: int, token_name: str, *, s_max: float, codes_max: int
    ) -> bool:
        """See `ports.LoginCodeStore`."""
        async with self._pool.transaction() as connection:
            await connection.execute(_SQL["forget_codes"], _ms(s_max))
            confirmed = await connection.fetchval(_SQL["confirm"], code, account_id, token_name)
            await connection.execute(_SQL["keep_latest_codes"], account_id, codes_max)
        return confirmed is not None

    async def take(self, code: str, *, s_max: float) -> LetIn | None:
        """See `ports.LoginCodeStore`."""
        async with self._pool.connection() as connection:
            row = await connection.fetchrow(_SQL["take_code"], code, _ms(s_max))
        if row is None:
            return None
        kind = AccountKind(row["kind"])
        caller = Caller(row["account_id"], row["name"], kind, row["is_admin"], means="login")
        return LetIn(caller, row["token_name"])


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _session(row: Any) -> Session:
    known = dict(row)
    way = Way(known.pop("way"))
    ids = known["experiment_ids"]
    known |= {
        "kind": AccountKind(row["kind"]),
        "scope": Scope(row["scope"]),
        "experiment_ids": None if ids is None else frozenset(ids),
    }
    return Session(way, Shown(**known))
