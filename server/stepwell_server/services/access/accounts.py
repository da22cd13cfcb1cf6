"""The rules of accounts and groups."""

from collections.abc import Sequence

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.model.access import (
    ACCOUNT_NAME_CHARS_MAX,
    GROUP_NAME_CHARS_MAX,
    LISTED_MAX,
    Account,
    AccountKind,
    Caller,
    Group,
)
from stepwell_server.services.access.authentication import Authenticator
from stepwell_server.services.access.calling import caller
from stepwell_server.services.access.names import alike, check_name
from stepwell_server.services.access.passwords import Passwords
from stepwell_server.services.access.permissions import Permissions
from stepwell_server.store.ports.access import AccountStore


class AccountService:
    """Raises what `ports.AccountStore` raises, and InvalidArgumentError."""

    def __init__(
        self,
        store: AccountStore,
        passwords: Passwords,
        authenticator: Authenticator,
        permissions: Permissions,
    ) -> None:
        self._store = store
        self._passwords = passwords
        self._authenticator = authenticator
        self._permissions = permissions

    async def who(self) -> Caller:
        """Return who calls."""
        return caller()

    async def add(
        self, name: str, kind: AccountKind, password: str | None, *, is_admin: bool = False
    ) -> Account:
        """Add an account; one without a password comes in by tokens, or by single sign-on."""
        check_name("an account", name, ACCOUNT_NAME_CHARS_MAX)
        if kind is AccountKind.SERVICE and password:
            raise InvalidArgumentError(
                "a service account has tokens, and no password; leave the password out"
            )
        hashed = await self._passwords.hash(password, caller().name) if password else None
        return await self._store.add(name, alike(name), kind, hashed, is_admin=is_admin)

    async def get(self, name: str) -> Account:
        """Return an account."""
        return await self._store.get(name)

    async def list(self, after: str = "", limit: int = LISTED_MAX) -> Sequence[Account]:
        """Return accounts by name, after one."""
        return await self._store.list(after, _limit(limit))

    async def change(
        self, name: str, *, is_admin: bool | None = None, is_active: bool | None = None
    ) -> Account:
        """Make an account an admin's or not, switch it on or off; what is None stays."""
        changed = await self._store.change(name, password_hash=None, is_admin=is_admin, is_active=is_active)
        self._forget()
        return changed

    async def set_password(self, name: str, password: str) -> Account:
        """Give an account another password; the one before is good no more."""
        account = await self._store.get(name)
        if account.kind is AccountKind.SERVICE:
            raise InvalidArgumentError(f"{name!r} is a service account: it has tokens, and no password")
        hashed = await self._passwords.hash(password, caller().name)
        changed = await self._store.change(name, password_hash=hashed, is_admin=None, is_active=None)
        self._forget()
        return changed

    async def remove(self, name: str) -> None:
        """Remove an account with its tokens and grants; what it logged stays."""
        await self._store.remove(name)
        self._forget()

    async def add_group(self, name: str) -> Group:
        """Add a group."""
        check_name("a group", name, GROUP_NAME_CHARS_MAX)
        return await self._store.add_group(name, alike(name))

    async def groups(self, after: str = "", limit: int = LISTED_MAX) -> Sequence[Group]:
        """Return groups by name, after one."""
        return await self._store.groups(after, _limit(limit))

    async def change_members(self, group: str, added: Sequence[str], removed: Sequence[str]) -> Group:
        """Put accounts into a group, and take others out."""
        changed = await self._store.change_members(group, added, removed)
        self._permissions.forget()
        return changed

    async def remove_group(self, name: str) -> None:
        """Remove a group with its grants."""
        await self._store.remove_group(name)
        self._permissions.forget()

    def _forget(self) -> None:
        self._authenticator.forget()
        self._permissions.forget()


def _limit(limit: int) -> int:
    if not 1 <= limit <= LISTED_MAX:
        raise InvalidArgumentError(f"the limit is {limit}; it has to be from 1 to {LISTED_MAX:,}")
    return limit
