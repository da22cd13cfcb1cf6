"""The rules of webhooks, and their delivery in the background."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self
from uuid import UUID

from stepwell_server.errors import InvalidArgumentError, PermissionDeniedError, UnavailableError
from stepwell_server.model.registry import ChangeKind, RegistryChange
from stepwell_server.model.webhooks import (
    ATTEMPTS_MAX,
    SECRET_CHARS_MAX,
    SECRET_CHARS_MIN,
    WEBHOOK_NAME_CHARS_MAX,
    Answer,
    Delivery,
    Webhook,
    WebhookChange,
    pause_ms,
)
from stepwell_server.process.logger import get_logger
from stepwell_server.services.registry import names
from stepwell_server.services.registry.posting import check_url, post
from stepwell_server.services.validation import check_text
from stepwell_server.store.ports.registry import WebhookStore

# How often to look for what is due.
LOOK_INTERVAL_S = 1.0
# Longer than an attempt may take; then another process may try.
CLAIM_MS = 60_000
# Attempts at once, in this process.
ATTEMPTS_AT_ONCE_MAX = 4

log = get_logger(__name__)


class WebhookService:
    """Keeps webhooks, and delivers to them while it is entered (`async with`).

    `allowed_hosts` are those that deliveries may go to. Raises what `ports.WebhookStore` raises, InvalidArgumentError
    and PermissionDeniedError.
    """

    def __init__(self, store: WebhookStore, allowed_hosts: Sequence[str]) -> None:
        self._store = store
        self._allowed_hosts = allowed_hosts

    async def __aenter__(self) -> Self:
        count = ATTEMPTS_AT_ONCE_MAX if self._allowed_hosts else 0  # without hosts there is nobody to tell
        self._tasks = [asyncio.create_task(self._deliver_all(), name="webhooks") for _ in range(count)]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop; what was under way is tried again later."""
        for task in self._tasks:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def create(
        self, name: str, url: str, secret: str, kinds: Sequence[ChangeKind], model_name: str
    ) -> Webhook:
        """Create a webhook."""
        _check_name(name)
        check_url(url, self._allowed_hosts)
        _check_secret(secret)
        if model_name:
            names.check_model_name(model_name)
        return await self._store.create(name, url, secret, kinds, model_name)

    async def list(self) -> Sequence[Webhook]:
        """Return all webhooks."""
        return await self._store.list()

    async def update(self, webhook_id: UUID, change: WebhookChange) -> Webhook:
        """Change what is set."""
        if change.name is not None:
            _check_name(change.name)
        if change.url is not None:
            check_url(change.url, self._allowed_hosts)
        if change.secret is not None:
            _check_secret(change.secret)
        return await self._store.update(webhook_id, change)

    async def delete(self, webhook_id: UUID) -> None:
        """Delete a webhook."""
        await self._store.delete(webhook_id)

    async def test(self, webhook_id: UUID) -> Answer:
        """Deliver a change that never happened."""
        webhook = await self._store.get(webhook_id)
        check_url(webhook.url, self._allowed_hosts)
        now_ms = int(time.time() * 1_000)
        change = RegistryChange(
            0,
            now_ms,
            ChangeKind.VERSION_CREATED,
            "test",
            1,
            "",
            "",
            "models:/test/1",
            "",
            "a test of this webhook",
        )
        return await post(webhook, change)

    async def _deliver_all(self) -> None:
        while True:
            try:
                if await self._deliver_one():
                    continue
            except UnavailableError as error:
                log.warning("webhooks wait for the database", error=str(error))
            except Exception as error:
                log.error("a webhook could not be looked after; the next turn tries again", exc_info=error)
            await asyncio.sleep(LOOK_INTERVAL_S)

    async def _deliver_one(self) -> bool:
        """Try a delivery that is due, if there is one; tells whether there was."""
        delivery = await self._store.claim(CLAIM_MS)
        if delivery is None:
            return False
        answer = await self._attempt(delivery)
        attempts = delivery.webhook.failed_attempts + 1
        if not answer.error or attempts >= ATTEMPTS_MAX:
            await self._store.settle(delivery, delivered=not answer.error, error=answer.error)
        else:
            await self._store.postpone(delivery, pause_ms(attempts), answer.error)
        return True

    async def _attempt(self, delivery: Delivery) -> Answer:
        try:
            # The operator may have changed their mind since it was created.
            check_url(delivery.webhook.url, self._allowed_hosts)
        except PermissionDeniedError as error:
            return Answer(0, str(error))
        return await post(delivery.webhook, delivery.event)


def _check_name(name: str) -> None:
    if not name.strip():
        raise InvalidArgumentError("a webhook needs a name; it is blank")
    check_text("the name of a webhook", name, WEBHOOK_NAME_CHARS_MAX)


def _check_secret(secret: str) -> None:
    if len(secret) < SECRET_CHARS_MIN:
        raise InvalidArgumentError(
            f"the secret of a webhook has {len(secret)} characters; it needs {SECRET_CHARS_MIN} at least, so that"
            " nobody guesses it"
        )
    if len(secret) > SECRET_CHARS_MAX or "\0" in secret:  # which is not shown
        raise InvalidArgumentError(
            f"the secret of a webhook may have {SECRET_CHARS_MAX} characters, none of them NUL"
        )
