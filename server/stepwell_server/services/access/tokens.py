"""The rules of tokens. The secret is told once, to who makes the token; what is stored is its SHA-256."""

import secrets
import time
from collections.abc import Sequence
from dataclasses import replace

from stepwell_server.errors import InvalidArgumentError, PermissionDeniedError
from stepwell_server.model.access import (
    LISTED_MAX,
    TOKEN_EXPERIMENTS_MAX,
    TOKEN_NAME_CHARS_MAX,
    TOKEN_PREFIX,
    TOKENS_OF_ACCOUNT_MAX,
    Caller,
    Scope,
    Token,
    TokenSpec,
)
from stepwell_server.services.access.authentication import Authenticator, token_sha256
from stepwell_server.services.access.calling import caller
from stepwell_server.store.ports.access import AccountStore, TokenStore

SECRET_BYTES = 32
# What is kept of the beginning of a secret, so that people know their tokens again.
HINT_CHARS = len(TOKEN_PREFIX) + 4


class TokenService:
    """Raises what `ports.TokenStore` raises, InvalidArgumentError and PermissionDeniedError.

    Everybody has tokens of their own, which are allowed no more than the call that makes them, and last no longer than
    the token that it comes with; admins make and revoke those of others. A token revokes itself, and those that may no
    more than it.
    """

    def __init__(self, store: TokenStore, accounts: AccountStore, authenticator: Authenticator) -> None:
        self._store = store
        self._accounts = accounts
        self._authenticator = authenticator

    async def create(self, account: str, spec: TokenSpec) -> tuple[Token, str]:
        """Make a token of an account ("": of who calls) and return it with its secret."""
        who = caller()
        check_spec(spec)
        _require_no_more(who, spec.scope, spec.experiment_ids, "make")
        spec = replace(spec, expires_time_ms=_earlier(who.expires_time_ms, spec.expires_time_ms))
        account_id = who.account_id
        if account not in ("", who.name):
            account_id = (await self._require_admin(who).get(account)).account_id
        return await add_token(self._store, account_id, spec)

    async def list(self, account: str | None) -> Sequence[Token]:
        """Return tokens of an account ("": of who calls, None: of all), the latest first."""
        who = caller()
        if account not in ("", who.name):
            self._require_admin(who)
        return await self._store.list(who.name if account == "" else account, LISTED_MAX)

    async def revoke(self, token_id: int) -> Token:
        """Revoke a token: one's own, or as an admin anybody's."""
        who = caller()
        token = await self._store.get(token_id, None if who.administers else who.account_id)
        if token_id != who.token_id:
            _require_no_more(who, token.scope, token.experiment_ids, "revoke")
        revoked = await self._store.revoke(token_id)
        self._authenticator.forget()
        return revoked

    def _require_admin(self, who: Caller) -> AccountStore:
        if not who.administers:
            raise PermissionDeniedError("only an admin may do this with tokens of others")
        return self._accounts


async def add_token(store: TokenStore, account_id: int, spec: TokenSpec) -> tuple[Token, str]:
    """Add a token to the store and return it with its secret."""
    secret = TOKEN_PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    token = await store.add(
        account_id, spec, token_sha256(secret), secret[:HINT_CHARS], TOKENS_OF_ACCOUNT_MAX
    )
    return token, secret


def check_spec(spec: TokenSpec) -> None:
    """Check what a token is to be. Raises InvalidArgumentError."""
    if not 1 <= len(spec.name) <= TOKEN_NAME_CHARS_MAX or not spec.name.isprintable():
        raise InvalidArgumentError(
            f"a token has a name of 1 to {TOKEN_NAME_CHARS_MAX} printable characters, which says what it is for"
        )
    if spec.expires_time_ms is not None and spec.expires_time_ms <= time.time() * 1_000:
        raise InvalidArgumentError("the token would have expired already; give a time that is to come")
    if spec.experiment_ids is not None and not 1 <= len(spec.experiment_ids) <= TOKEN_EXPERIMENTS_MAX:
        raise InvalidArgumentError(
            f"a token is limited to 1 to {TOKEN_EXPERIMENTS_MAX:,} experiments, or to none; leave them out for all"
        )


def _require_no_more(who: Caller, scope: Scope, experiment_ids: Sequence[int] | None, doing: str) -> None:
    """Let tokens through that may no more than the caller. Raises PermissionDeniedError."""
    if scope > who.scope:
        raise PermissionDeniedError(
            f"a token of the scope {who.scope.name.lower()} cannot {doing} one of the scope {scope.name.lower()}"
        )
    limit = who.experiment_ids
    if limit is not None and (experiment_ids is None or not limit.issuperset(experiment_ids)):
        raise PermissionDeniedError(f"a token that is limited to experiments cannot {doing} one for others")


def _earlier(one_ms: int | None, other_ms: int | None) -> int | None:
    """Return the earlier of two times; None is never."""
    return min((it for it in (one_ms, other_ms) if it is not None), default=None)
