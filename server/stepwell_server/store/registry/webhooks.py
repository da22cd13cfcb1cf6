"""Webhooks in PostgreSQL: which there are, and what is due at them.

The history and the alerts, numbered together, are their queue: each has a position in it. One process at a time tries a
webhook: who claims it moves its next attempt ahead, so that a process that dies in between delays it and loses nothing.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from stepwell_server.errors import InvalidStateError, NotFoundError
from stepwell_server.model.alerts import Alert
from stepwell_server.model.registry import ChangeKind, RegistryChange
from stepwell_server.model.webhooks import (
    PAUSE_MAX_MS,
    WAITING_MAX,
    WEBHOOKS_MAX,
    Delivery,
    Webhook,
    WebhookChange,
)
from stepwell_server.store import sql
from stepwell_server.store.postgres.pool import Connection, Pool
from stepwell_server.store.registry.rows import change_of
from stepwell_server.store.tracking.alerts import alert_of

CREATION_LOCK_KEY = int.from_bytes(b"webhooks")

_QUERIES = sql.load("webhooks")
_ALERTS = sql.load("alerts")


class PostgresWebhookStore:
    """Implements `ports.WebhookStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def create(
        self, name: str, url: str, secret: str, kinds: Sequence[ChangeKind], model_name: str
    ) -> Webhook:
        """See `ports.WebhookStore`."""
        arguments = (uuid4(), name, url, secret, _values(kinds), model_name, WEBHOOKS_MAX)
        async with self._pool.transaction() as connection:
            await connection.execute(_QUERIES["lock"], CREATION_LOCK_KEY)
            row = await connection.fetchrow(_QUERIES["create"], *arguments)
        if row is None:
            raise InvalidStateError(f"there are {WEBHOOKS_MAX} webhooks, the most there may be; delete one")
        return _webhook(row)

    async def list(self) -> Sequence[Webhook]:
        """See `ports.WebhookStore`."""
        async with self._pool.connection() as connection:
            return list(map(_webhook, await connection.fetch(_QUERIES["list"])))

    async def get(self, webhook_id: UUID) -> Webhook:
        """See `ports.WebhookStore`."""
        async with self._pool.connection() as connection:
            return _found(await connection.fetchrow(_QUERIES["get"], webhook_id), webhook_id)

    async def update(self, webhook_id: UUID, change: WebhookChange) -> Webhook:
        """See `ports.WebhookStore`."""
        kinds = None if change.kinds is None else _values(change.kinds)
        arguments = (change.name, change.url, change.secret, kinds, change.is_active)
        async with self._pool.connection() as connection:
            return _found(await connection.fetchrow(_QUERIES["update"], webhook_id, *arguments), webhook_id)

    async def delete(self, webhook_id: UUID) -> None:
        """See `ports.WebhookStore`."""
        async with self._pool.connection() as connection:
            if await connection.fetchval(_QUERIES["delete"], webhook_id) is None:
                raise _no_such_webhook(webhook_id)

    async def claim(self, claim_ms: int) -> Delivery | None:
        """See `ports.WebhookStore`."""
        async with self._pool.connection() as connection:
            await connection.execute(_QUERIES["skip"], WAITING_MAX, PAUSE_MAX_MS)
            row = await connection.fetchrow(_QUERIES["claim"], claim_ms, PAUSE_MAX_MS)
            if row is None:
                return None
            due = await connection.fetchrow(_QUERIES["due"], row["position"], row["kinds"], row["model_name"])
            event = None if due is None else await _event(connection, due)
        return None if event is None else Delivery(_webhook(row), event)

    async def settle(self, delivery: Delivery, *, delivered: bool, error: str) -> None:
        """See `ports.WebhookStore`."""
        arguments = (delivery.webhook.webhook_id, delivery.event.number, delivered, error)
        async with self._pool.connection() as connection:
            await connection.execute(_QUERIES["settle"], *arguments)

    async def postpone(self, delivery: Delivery, pause_ms: int, error: str) -> None:
        """See `ports.WebhookStore`."""
        async with self._pool.connection() as connection:
            await connection.execute(_QUERIES["postpone"], delivery.webhook.webhook_id, pause_ms, error)


async def _event(connection: Connection, due: Any) -> RegistryChange | Alert | None:
    """Return what a webhook is told; None when it went meanwhile, with its run."""
    number, run_id = due["event_number"], due["run_id"]
    if run_id is None:
        return change_of(await connection.fetchrow(_QUERIES["change"], number))
    row = await connection.fetchrow(_ALERTS["get"], run_id, number)
    return None if row is None else alert_of(row)


def _values(kinds: Sequence[ChangeKind]) -> Sequence[str]:
    return [kind.value for kind in kinds]


def _webhook(row: Any) -> Webhook:
    return Webhook(
        webhook_id=row["webhook_id"],
        name=row["name"],
        url=row["url"],
        secret=row["secret"],
        kinds=tuple(map(ChangeKind, row["kinds"])),
        model_name=row["model_name"],
        is_active=row["is_active"],
        delivered=row["delivered"],
        given_up=row["given_up"],
        failed_attempts=row["failed_attempts"],
        last_error=row["last_error"],
        creation_time_ms=row["creation_time_ms"],
    )


def _found(row: Any, webhook_id: UUID) -> Webhook:
    if row is None:
        raise _no_such_webhook(webhook_id)
    return _webhook(row)


def _no_such_webhook(webhook_id: UUID) -> NotFoundError:
    return NotFoundError(f"there is no webhook with the id {webhook_id.hex}")
