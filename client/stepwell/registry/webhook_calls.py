"""The calls of webhooks on one server: entities out. Errors: see `Connection.call`."""

from collections.abc import Sequence

from stepwell.entities.model_registry import Webhook
from stepwell.errors import invalid
from stepwell.registry.messages import kind_name
from stepwell.wire.connection import connect
from stepwell_api.v1 import registry_pb2
from stepwell_api.v1 import webhooks_pb2 as pb


class WebhookCalls:
    """Webhooks of one server."""

    def __init__(self, uri: str) -> None:
        self._connection = connect(uri)

    def create(self, name: str, url: str, secret: str, events: Sequence[str], model_name: str) -> Webhook:
        """Create a webhook."""
        request = pb.CreateWebhookRequest(
            name=name, url=url, secret=secret, kinds=map(_kind, events), model_name=model_name
        )
        return _webhook(self._connection.call(lambda server: server.webhooks.CreateWebhook(request)).webhook)

    def list(self) -> list[Webhook]:
        """Return all webhooks."""
        request = pb.ListWebhooksRequest()
        answer = self._connection.call(lambda server: server.webhooks.ListWebhooks(request))
        return [_webhook(message) for message in answer.webhooks]

    def update(
        self,
        webhook_id: str,
        *,
        name: str | None,
        url: str | None,
        secret: str | None,
        events: Sequence[str] | None,
        is_active: bool | None,
    ) -> Webhook:
        """Change what is given."""
        request = pb.UpdateWebhookRequest(
            webhook_id=webhook_id,
            name=name,
            url=url,
            secret=secret,
            kinds=None if events is None else pb.ChangeKinds(kind=map(_kind, events)),
            is_active=is_active,
        )
        return _webhook(self._connection.call(lambda server: server.webhooks.UpdateWebhook(request)).webhook)

    def delete(self, webhook_id: str) -> None:
        """Delete a webhook."""
        request = pb.DeleteWebhookRequest(webhook_id=webhook_id)
        self._connection.call(lambda server: server.webhooks.DeleteWebhook(request))

    def test(self, webhook_id: str) -> tuple[int, str]:
        """Try a webhook; returns the HTTP status and what was wrong."""
        request = pb.TestWebhookRequest(webhook_id=webhook_id)
        answer = self._connection.call(lambda server: server.webhooks.TestWebhook(request))
        return answer.status, answer.error


def _kind(event: str) -> registry_pb2.ChangeKind.ValueType:
    known = {kind_name(number): number for number in registry_pb2.ChangeKind.values() if number}
    if event not in known:
        raise invalid(f"There is no event {event!r}; use {', '.join(known)}.")
    return known[event]


def _webhook(message: pb.Webhook) -> Webhook:
    return Webhook(
        webhook_id=message.webhook_id,
        name=message.name,
        url=message.url,
        events=[kind_name(kind) for kind in message.kinds],
        model_name=message.model_name or None,
        status="ACTIVE" if message.is_active else "DISABLED",
        delivered=message.delivered,
        given_up=message.given_up,
        failed_attempts=message.failed_attempts,
        last_error=message.last_error,
        creation_timestamp=message.creation_time_ms,
    )
