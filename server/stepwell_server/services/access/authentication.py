"""Who shows which credential: tokens and passwords, and what others add (sessions, proxies).

    Authorization: Bearer stepwell_…            a token
    Authorization: Basic name:password          an account's password; a token is taken in its place

What was found good is believed for CREDENTIAL_CACHE_S, though not beyond a token's end: so long a revoked token may
still be used at other processes of the server. The cache knows credentials by a keyed hash, and nothing here logs them.
"""

import base64
import hashlib
import math
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from stepwell_server.errors import UnauthenticatedError
from stepwell_server.model.access import TOKEN_PREFIX, Caller, Shown
from stepwell_server.services.access.audit import Audit
from stepwell_server.services.access.calling import HOW_TO_SIGN_IN, Presented
from stepwell_server.services.access.fresh import Fresh
from stepwell_server.services.access.guessing import Guesses, network_of
from stepwell_server.services.access.passwords import Passwords
from stepwell_server.store.ports.access import CredentialStore

# How long a credential that was found good is believed, and how many are: about 1 KB each.
CREDENTIAL_CACHE_S = 10.0
CREDENTIALS_CACHED_MAX = 10_000
# What is read of the header.
AUTHORIZATION_CHARS_MAX = 4_096


class Source(Protocol):
    """Finds out who calls by something else than the header Authorization."""

    async def __call__(self, presented: Presented) -> Caller | None:
        """Return who it is; None where there is nothing of the kind."""
        ...

    def forget(self) -> None:
        """Believe nothing that was found before."""
        ...


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
        self._good: Fresh[bytes, Caller] = Fresh(
            CREDENTIAL_CACHE_S, CREDENTIALS_CACHED_MAX, lambda found: left_s(found.expires_time_ms)
        )
        self._guesses = Guesses()

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
        shown, origin = _read(header), presented.origin
        if isinstance(shown, str):
            return await self._believed(header, partial(self._by_token, shown))
        # Before what is known is looked at: else who tries many would find the one that somebody else has shown.
        self._guesses.check(shown.name, origin)
        ask = partial(self.by_password, shown.name, shown.password, origin)
        return await self._believed(f"{header}\0{network_of(origin)}", ask)

    def forget(self) -> None:
        """Believe nothing that was found before: something was revoked."""
        self._good.forget()
        for source in self._sources:
            source.forget()

    async def by_password(self, name: str, password: str, origin: str) -> Caller:
        """Return whose password it is. Raises as `caller`."""
        with self._guesses.one(name, origin):
            shown = await self._store.shown_account(name)
            hashed = shown.password_hash if shown else None
            if not await self._passwords.matches(hashed, password, network_of(origin)):
                if shown is not None:  # names that anybody makes up would fill the audit
                    # Aside: who waited for it would know by the time that there is such a name.
                    self._audit.note_aside("login.failed", name, account=name, origin=origin)
                raise UnauthenticatedError("the name or the password is wrong")
        assert shown is not None
        await self._store.note_used(shown.account_id)
        return caller_of(shown, "password")

    async def _believed(self, shown: str, ask: Callable[[], Awaitable[Caller]]) -> Caller:
        digest = hashlib.blake2b(shown.encode(), key=self._key, digest_size=20).digest()
        return self._good.known(digest) or await self._good.get(digest, ask)

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


@dataclass(frozen=True, slots=True)
class _Password:
    name: str  # of the account
    password: str


def _read(header: str) -> str | _Password:
    """Return the token that a header holds, or the password. Raises UnauthenticatedError where it holds neither."""
    kind, _, value = header.partition(" ")
    if kind.lower() == "bearer":
        return value.strip()
    if kind.lower() != "basic":
        raise UnauthenticatedError("the header Authorization is neither Bearer nor Basic")
    try:
        name, colon, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except ValueError:  # that base64 and UTF-8 raise
        colon = name = password = ""
    for part in (password, name):
        if part.startswith(TOKEN_PREFIX):
            return part
    if not colon or "\0" in name:
        raise UnauthenticatedError("the header Authorization is Basic, but not base64 of name:password")
    return _Password(name, password)


def token_sha256(token: str) -> bytes:
    """Return what is stored of a token: it is random, so nobody guesses it back."""
    return hashlib.sha256(token.encode()).digest()


def left_s(expires_time_ms: int | None) -> float:
    """Return for how many seconds a token is good; infinity where it does not expire."""
    return math.inf if expires_time_ms is None else expires_time_ms / 1_000 - time.time()


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
        shown.expires_time_ms,
        means,
    )
