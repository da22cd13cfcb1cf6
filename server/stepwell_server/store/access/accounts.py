"""Accounts and groups."""

from collections.abc import Sequence
from typing import Any

from stepwell_server.errors import AlreadyExistsError, InvalidStateError, NotFoundError
from stepwell_server.model.access import ACCOUNTS_MAX, GROUPS_MAX, Account, AccountKind, Group
from stepwell_server.store.postgres.pool import Connection, Pool
from stepwell_server.store.sql import load

_SQL = load("accounts")
_LOCK = int.from_bytes(b"sw admin")


class PostgresAccountStore:
    """Implements `ports.AccountStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def make_first_admin(self, name: str, password_hash: str) -> bool:
        """See `ports.AccountStore`."""
        async with self._pool.transaction() as connection:
            await connection.fetchval(_SQL["lock"], _LOCK)
            if not await connection.fetchval(_SQL["is_empty"]):
                return False
            await connection.fetchrow(_SQL["add"], name, AccountKind.USER.value, password_hash, True, name)
        return True

    async def add(
        self, name: str, alike: str, kind: AccountKind, password_hash: str | None, *, is_admin: bool
    ) -> Account:
        """See `ports.AccountStore`."""
        async with self._pool.connection() as connection:
            row = await connection.fetchrow(_SQL["add"], name, kind.value, password_hash, is_admin, alike)
            if row is None:
                taken = await connection.fetchval(_SQL["alike"], alike) or name
                raise AlreadyExistsError(f"there is an account {taken!r} already")
            return await _account(connection, name)

    async def get(self, name: str) -> Account:
        """See `ports.AccountStore`."""
        async with self._pool.connection() as connection:
            return await _account(connection, name)

    async def list(self, after: str, limit: int) -> Sequence[Account]:
        """See `ports.AccountStore`."""
        async with self._pool.connection() as connection:
            rows = await connection.fetch(_SQL["list"], after, min(limit, ACCOUNTS_MAX))
        return [_account_of(row) for row in rows]

    async def change(
        self, name: str, *, password_hash: str | None, is_admin: bool | None, is_active: bool | None
    ) -> Account:
        """See `ports.AccountStore`."""
        async with self._pool.transaction() as connection:
            if is_admin is False or is_active is False:
                await _require_another_admin(connection, name)
            changed = await connection.fetchval(_SQL["change"], name, password_hash, is_admin, is_active)
            if changed is None:
                raise _no_such_account(name)
            if password_hash is not None:
                await connection.execute(_SQL["end_sessions"], name)
            return await _account(connection, name)

    async def remove(self, name: str) -> None:
        """See `ports.AccountStore`."""
        async with self._pool.transaction() as connection:
            await _require_another_admin(connection, name)
            if await connection.fetchval(_SQL["remove"], name) is None:
                raise _no_such_account(name)

    async def add_group(self, name: str, alike: str) -> Group:
        """See `ports.AccountStore`."""
        async with self._pool.connection() as connection:
            row = await connection.fetchrow(_SQL["add_group"], name, alike)
            if row is None:
                taken = await connection.fetchval(_SQL["group_alike"], alike) or name
                raise AlreadyExistsError(f"there is a group {taken!r} already")
        return Group(row["group_id"], row["name"], row["created_time_ms"])

    async def groups(self, after: str, limit: int) -> Sequence[Group]:
        """See `ports.AccountStore`."""
        async with self._pool.connection() as connection:
            rows = await connection.fetch(_SQL["groups"], after, min(limit, GROUPS_MAX))
        return [Group(**row) for row in rows]

    async def remove_group(self, name: str) -> None:
        """See `ports.AccountStore`."""
        async with self._pool.connection() as connection:
            if await connection.fetchval(_SQL["remove_group"], name) is None:
                raise _no_such_group(name)

    async def change_members(self, group: str, added: Sequence[str], removed: Sequence[str]) -> Group:
        """See `ports.AccountStore`."""
        async with self._pool.transaction() as connection:
            found = await connection.fetchrow(_SQL["group"], group)
            if found is None:
                raise _no_such_group(group)
            unknown = await connection.fetchval(_SQL["unknown_accounts"], [*added, *removed])
            if unknown is not None:
                raise _no_such_account(unknown)
            await connection.execute(_SQL["add_members"], found["group_id"], list(added))
            await connection.execute(_SQL["remove_members"], found["group_id"], list(removed))
            return Group(**await connection.fetchrow(_SQL["group"], group))


async def _require_another_admin(connection: Connection, name: str) -> None:
    await connection.fetchval(_SQL["lock"], _LOCK)
    account = await _account(connection, name)
    if account.is_admin and account.is_active and not await connection.fetchval(_SQL["admins_left"], name):
        raise InvalidStateError(f"{name!r} is the only admin; make another one first")


async def _account(connection: Connection, name: str) -> Account:
    row = await connection.fetchrow(_SQL["get"], name)
    if row is None:
        raise _no_such_account(name)
    return _account_of(row)


def _account_of(row: Any) -> Account:
    return Account(
        row["account_id"],
        row["name"],
        AccountKind(row["kind"]),
        row["is_admin"],
        row["is_active"],
        row["password_hash"] is not None,
        row["created_time_ms"],
        row["last_used_time_ms"],
        row["groups"],
    )


def _no_such_account(name: str) -> NotFoundError:
    return NotFoundError(f"there is no account {name!r}")


def _no_such_group(name: str) -> NotFoundError:
    return NotFoundError(f"there is no group {name!r}")
