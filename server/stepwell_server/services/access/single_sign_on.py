"""Accounts of people who signed in elsewhere: at an OpenID Connect provider, or at a proxy in front of the server.

They are made when somebody comes for the first time, and known again by what never changes there, not by their name:
whoever gets the name of an account of ours elsewhere does not get the account.
"""

from collections.abc import Sequence

from stepwell_server.errors import AlreadyExistsError, InvalidArgumentError, UnauthenticatedError
from stepwell_server.model.access import ACCOUNT_NAME_CHARS_MAX, Caller, Shown
from stepwell_server.services.access.authentication import caller_of
from stepwell_server.services.access.fresh import Fresh
from stepwell_server.services.access.names import alike, check_name
from stepwell_server.store.ports.access import CredentialStore

# Of each sign-in, so many groups are looked at; of a proxy's users, so many are believed for so long.
GROUPS_MAX = 1_000
PROXIED_CACHE_S = 10.0
PROXIED_CACHED_MAX = 10_000
PROXY = "proxy"


class SingleSignOn:
    """Finds and makes the accounts."""

    def __init__(self, store: CredentialStore) -> None:
        self._store = store
        self._proxied: Fresh[str, Caller] = Fresh(PROXIED_CACHE_S, PROXIED_CACHED_MAX)

    def forget(self) -> None:
        """Believe nothing that was found before."""
        self._proxied.forget()

    async def provided(
        self, issuer: str, subject: str, name: str, groups: Sequence[str] | None, *, is_admin: bool | None
    ) -> Caller:
        """Return the caller who signed in at a provider.

        Groups of None, and `is_admin` of None, leave those of the account as they are.

        Raises:
            UnauthenticatedError: the account is switched off, cannot have the name, or another one has it.
        """
        return caller_of(await self._shown(f"{issuer} {subject}", name, groups or (), is_admin), "session")

    async def proxied(self, name: str) -> Caller:
        """Return the caller whom a trusted proxy names. Raises as `provided`."""
        return await self._proxied.get(name, lambda: self._named(name))

    async def _named(self, name: str) -> Caller:
        return caller_of(await self._shown(f"{PROXY} {name}", name, (), None), PROXY)

    async def _shown(self, subject: str, name: str, groups: Sequence[str], is_admin: bool | None) -> Shown:
        name = name.strip()
        try:
            check_name("an account", name, ACCOUNT_NAME_CHARS_MAX)
            return await self._store.account_of_subject(
                subject, name, alike(name), list(groups[:GROUPS_MAX]), is_admin=is_admin
            )
        except (AlreadyExistsError, InvalidArgumentError) as error:
            raise UnauthenticatedError(str(error)) from None
