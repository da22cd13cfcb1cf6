"""The part of StepwellClient that is about webhooks of the registry."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from stepwell.registry import checks

if TYPE_CHECKING:
    from stepwell.entities.model_registry import Webhook
    from stepwell.registry.webhook_calls import WebhookCalls


class WebhookMethods:
    """Whom the server tells, by HTTP, what changes in the registry (docs/registry.md)."""

    def create_webhook(
        self,
        name: str,
        url: str,
        events: Sequence[str] = (),
        *,
        secret: str,
        model_name: str | None = None,
    ) -> "Webhook":
        """Create a webhook for what changes from now on.

        Args:
            name: for people.
            url: http or https, to a host that the operator of the server allows; else PERMISSION_DENIED.
            events: kinds of changes, as `registry_changes` names them; none for all.
            secret: what deliveries are signed with, 16 to 200 characters. It is never told again.
            model_name: only what changes of this registered model.
        """
        return self._webhooks.create(
            checks.name(name, "name of a webhook"), url, secret, events, model_name or ""
        )

    def list_webhooks(self) -> "list[Webhook]":
        """Return all webhooks and how their deliveries go."""
        return self._webhooks.list()

    def update_webhook(
        self,
        webhook_id: str,
        name: str | None = None,
        url: str | None = None,
        events: Sequence[str] | None = None,
        *,
        secret: str | None = None,
        active: bool | None = None,
    ) -> "Webhook":
        """Change what is given; with `active`, stop deliveries, or begin again with what changes from then on."""
        return self._webhooks.update(
            webhook_id, name=name, url=url, secret=secret, events=events, is_active=active
        )

    def delete_webhook(self, webhook_id: str) -> None:
        """Delete a webhook; what waits for it is not delivered."""
        self._webhooks.delete(webhook_id)

    def test_webhook(self, webhook_id: str) -> tuple[int, str]:
        """Deliver a change that never happened; returns the HTTP status (0: no answer) and what was wrong, or ""."""
        return self._webhooks.test(webhook_id)

    @property
    def _webhooks(self) -> "WebhookCalls":
        from stepwell.registry.webhook_calls import WebhookCalls

        return WebhookCalls(self._registry_address)

    @property
    def _registry_address(self) -> str:
        raise NotImplementedError
