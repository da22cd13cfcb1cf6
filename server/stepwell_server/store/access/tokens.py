"""Tokens."""

from collections.abc import Sequence
from typing import Any

from stepwell_server.errors import InvalidStateError, NotFoundError
from stepwell_server.model.access import Scope, Token, TokenSpec
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.sql import load

_SQL = load("accounts")


class PostgresTokenStore:
    """Implements `ports.TokenStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(self, account_id: int, spec: TokenSpec, sha256: bytes, hint: str, tokens_max: int) -> Token:
        """See `ports.TokenStore`."""
        async with self._pool.transaction() as connection:
            await connection.execute(_SQL["keep_latest_ended"], account_id, tokens_max)
            count = await connection.fetchval(_SQL["count_tokens"], account_id)
            if count is None:
                raise NotFoundError("the account of the token was removed just now")
            if count >= tokens_max:
                raise InvalidStateError(f"the account has {count:,} tokens; revoke those that nobody needs")
            ids = None if spec.experiment_ids is None else list(spec.experiment_ids)
            row = await connection.fetchrow(
                _SQL["add_token"], account_id, spec.name, sha256, hint, spec.scope, ids, spec.expires_time_ms
            )
        return _token(row)

    async def list(self, account: str | None, limit: int) -> Sequence[Token]:
        """See `ports.TokenStore`."""
        async with self._pool.connection() as connection:
            rows = await connection.fetch(_SQL["tokens"], account, limit)
        return [_token(row) for row in rows]

    async def get(self, token_id: int, account_id: int | None) -> Token:
        """See `ports.TokenStore`."""
        return await self._one(token_id, "token", token_id, account_id)

    async def revoke(self, token_id: int) -> Token:
        """See `ports.TokenStore`."""
        return await self._one(token_id, "revoke_token", token_id)

    async def _one(self, token_id: int, query: str, *arguments: Any) -> Token:
        async with self._pool.connection() as connection:
            row = await connection.fetchrow(_SQL[query], *arguments)
        if row is None:
            raise NotFoundError(f"there is no token with the id {token_id}")
        return _token(row)


def _token(row: Any) -> Token:
    return Token(
        row["token_id"],
        row["account"],
        row["name"],
        row["hint"],
        Scope(row["scope"]),
        row["experiment_ids"],
        row["created_time_ms"],
        row["expires_time_ms"],
        row["last_used_time_ms"],
        row["revoked_time_ms"],
    )
