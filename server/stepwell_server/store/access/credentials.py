"""What is known of credentials that were shown."""

from collections.abc import Sequence
from typing import Any

from stepwell_server.errors import AlreadyExistsError
from stepwell_server.model.access import AccountKind, Scope, Shown
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.sql import load

_SQL = load("accounts")


class PostgresCredentialStore:
    """Implements `ports.CredentialStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def shown_token(self, sha256: bytes) -> Shown | None:
        """See `ports.CredentialStore`."""
        async with self._pool.connection() as connection:
            row = await connection.fetchrow(_SQL["shown_token"], sha256)
        return row and _shown(row)

    async def shown_account(self, name: str) -> Shown | None:
        """See `ports.CredentialStore`."""
        async with self._pool.connection() as connection:
            row = await connection.fetchrow(_SQL["shown_account"], name)
        return row and _shown(row)

    async def note_used(self, account_id: int) -> None:
        """See `ports.CredentialStore`."""
        async with self._pool.connection() as connection:
            await connection.execute(_SQL["account_used"], account_id)

    async def account_of_subject(
        self, subject: str, name: str, alike: str, groups: Sequence[str], *, is_admin: bool | None
    ) -> Shown:
        """See `ports.CredentialStore`."""
        async with self._pool.transaction() as connection:
            row = await connection.fetchrow(_SQL["account_of_subject"], subject)
            if row is None:
                await connection.fetchrow(_SQL["add_of_subject"], subject, name, alike)
                row = await connection.fetchrow(_SQL["account_of_subject"], subject)
            if row is None:
                raise AlreadyExistsError(
                    f"the name {name!r} is that of another account, or looks like it; an admin has to remove that one"
                )
            account_id = row["account_id"]
            await connection.execute(_SQL["leave_groups"], account_id, list(groups))
            await connection.execute(_SQL["join_groups"], account_id, list(groups))
            await connection.execute(_SQL["account_used"], account_id)
            if is_admin is not None:
                await connection.execute(_SQL["set_admin"], account_id, is_admin)
                row = await connection.fetchrow(_SQL["account_of_subject"], subject)
        return _shown(row)


def _shown(row: Any) -> Shown:
    known = dict(row)
    known["kind"] = AccountKind(row["kind"])
    if "scope" in known:
        ids = row["experiment_ids"]
        known |= {"scope": Scope(row["scope"]), "experiment_ids": None if ids is None else frozenset(ids)}
    return Shown(**known)
