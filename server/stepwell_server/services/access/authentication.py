"""Who shows which credential: tokens and passwords, and what others add (sessions, proxies).

    Authorization: Bearer stepwell_…            a token
    Authorization: Basic name:password          an account's password; a token is taken in its place

What was found good is believed for CREDENTIAL_CACHE_S: so long a revoked token may still be used at other processes of
the server. The cache knows credentials by a keyed hash, and nothing here logs them.
"""

import base64
import hashlib
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from stepwell_server.errors import ExhaustedError, UnauthenticatedError
from stepwell_server.model.access import TOKEN_PREFIX, Caller, Shown
from stepwell_server.services.access.audit import Audit
from stepwell_server.services.access.calling import HOW_TO_SIGN_IN, Presented
from stepwell_server.services.access.fresh import Fresh
from stepwell_server.services.access.passwords import Passwords
from stepwell_server.store.ports.access import CredentialStore

# How long a credential that was found good is believed, and how many are: about 1 KB each.
CREDENTIAL_CACHE_S = 10.0
CREDENTIALS_CACHED_MAX = 10_000
# What is read of the header.
AUTHORIZATION_CHARS_MAX = 4_096
# So many wrong passwords for one name from one address, in so many seconds, before others are not even looked at.
WRONG_PASSWORDS_MAX = 10
WRONG_PASSWORDS_S = 60.0
WRONG_PASSWORDS_NAMES_MAX = 10_000

# Finds out who calls by something else than the header Authorization; None where there is nothing of the kind.
Source: TypeAlias = Callable[[Presented], Awaitable[Caller | None]]


class Authenticator:
    """Finds out who calls. `sources` are asked, in order, when there is no header Authorization."""

    def __init__(
        self, store: CredentialStore, passwords: Passwords, audit: Audit, sources: Sequence[Source] = ()
    ) -> None:
        self._store = store
        self._passwords = passwords
        self._audit = audit
        self._sources = sources
        self._key = secrets.token_bytes(32)
        self._good: Fresh[bytes, Caller] = Fresh(CREDENTIAL_CACHE_S, CREDENTIALS_CACHED_MAX)
        self._wrong = WrongPasswords()

    async def caller(self, presented: Presented) -> Caller:
        """Return who it is. Raises UnauthenticatedError, and ExhaustedError after too many wrong passwords."""
        header = presented.authorization
        if not header:
            for source in self._sources:
                found = await source(presented)
                if found is not None:
                    return found
            raise UnauthenticatedError(f"this server wants to know who calls; {HOW_TO_SIGN_IN}")
        if len(header) > AUTHORIZATION_CHARS_MAX:
            raise UnauthenticatedError(
                "what the header Authorization says is too long for a token or a password"
            )
        digest = hashlib.blake2b(header.encode(), key=self._key, digest_size=20).digest()
        return self._good.known(digest) or await self._good.get(digest, lambda: self._ask(presented))

    def forget(self) -> None:
        """Believe nothing that was found before: something was revoked."""
        self._good.forget()

    async def by_password(self, name: str, password: str, origin: str) -> Caller:
        """Return whose password it is. Raises as `caller`."""
        self._wrong.check(name, origin)
        shown = await self._store.shown_account(name)
        if not await self._passwords.matches(shown.password_hash if shown else None, password):
            self._wrong.note(name, origin)
            if shown is not None:  # names that anybody makes up would fill the audit
                await self._audit.note("login.failed", name, account=name, origin=origin)
            raise UnauthenticatedError("the name or the password is wrong")
        assert shown is not None
        return caller_of(shown, "password")

    async def _ask(self, presented: Presented) -> Caller:
        kind, _, value = presented.authorization.partition(" ")
        if kind.lower() == "bearer":
            return await self._by_token(value.strip())
        if kind.lower() != "basic":
            raise UnauthenticatedError("the header Authorization is neither Bearer nor Basic")
        try:
            name, colon, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
        except ValueError:  # that base64 and UTF-8 raise
            raise UnauthenticatedError(
                "the header Authorization is Basic, but not base64 of name:password"
            ) from None
        for part in (password, name):
            if part.startswith(TOKEN_PREFIX):
                return await self._by_token(part)
        if not colon or "\0" in name:
            raise UnauthenticatedError("the header Authorization is Basic, but not base64 of name:password")
        return await self.by_password(name, password, presented.origin)

    async def _by_token(self, token: str) -> Caller:
        shown = await self._store.shown_token(token_sha256(token))
        if shown is None:
            raise UnauthenticatedError(f"the token is not known here; {HOW_TO_SIGN_IN}")
        if shown.is_revoked:
            raise UnauthenticatedError(f"the token was revoked; {HOW_TO_SIGN_IN}")
        if shown.is_expired:
            raise UnauthenticatedError(
                "the token has expired; make another one with `stepwell tokens create`, or `stepwell login`"
            )
        return caller_of(shown, "token")


class WrongPasswords:
    """Counts wrong passwords by name and address, so that nobody can try many."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], tuple[int, float]] = {}

    def check(self, name: str, origin: str) -> None:
        """Raise ExhaustedError after too many."""
        count, until = self._counts.get((name, origin), (0, 0.0))
        left_s = until - time.monotonic()
        if count >= WRONG_PASSWORDS_MAX and left_s > 0:
            raise ExhaustedError(f"too many wrong passwords; try again in {left_s:.0f} s", left_s)

    def note(self, name: str, origin: str) -> None:
        """Count one; the count ends WRONG_PASSWORDS_S after the first."""
        now = time.monotonic()
        count, until = self._counts.pop((name, origin), (0, 0.0))
        if until <= now:
            count, until = 0, now + WRONG_PASSWORDS_S
        while len(self._counts) >= WRONG_PASSWORDS_NAMES_MAX:
            del self._counts[next(iter(self._counts))]
        self._counts[name, origin] = (count + 1, until)


def token_sha256(token: str) -> bytes:
    """Return what is stored of a token: it is random, so nobody guesses it back."""
    return hashlib.sha256(token.encode()).digest()


def caller_of(shown: Shown, means: str) -> Caller:
    """Return who shows a credential by some means. Raises UnauthenticatedError for an account that is switched off."""
    if not shown.is_active:
        raise UnauthenticatedError(f"the account {shown.name!r} is switched off; ask an admin")
    return Caller(
        shown.account_id,
        shown.name,
        shown.kind,
        shown.is_admin,
        shown.scope,
        shown.experiment_ids,
        shown.token_id,
        means,
    )
