"""WebhookService on the wire: check, call, map, answer."""

from typing import Any

from stepwell_api.v1 import webhooks_pb2 as pb
from stepwell_api.v1 import webhooks_pb2_grpc
from stepwell_server.model.webhooks import Webhook, WebhookChange
from stepwell_server.services.registry.webhooks import WebhookService
from stepwell_server.transport.mapping import parse_uuid
from stepwell_server.transport.registry.mapping import kind_to_proto, parse_kinds


class WebhookServicer(webhooks_pb2_grpc.WebhookServiceServicer):
    """Answers the calls of `WebhookService` in webhooks.proto."""

    def __init__(self, service: WebhookService) -> None:
        self._service = service

    async def CreateWebhook(  # noqa: N802
        self, request: pb.CreateWebhookRequest, context: Any
    ) -> pb.CreateWebhookResponse:
        """Create a webhook."""
        created = await self._service.create(
            request.name, request.url, request.secret, parse_kinds(request.kinds), request.model_name
        )
        return pb.CreateWebhookResponse(webhook=_webhook_to_proto(created))

    async def ListWebhooks(  # noqa: N802
        self, request: pb.ListWebhooksRequest, context: Any
    ) -> pb.ListWebhooksResponse:
        """Return all webhooks."""
        return pb.ListWebhooksResponse(webhooks=map(_webhook_to_proto, await self._service.list()))

    async def UpdateWebhook(  # noqa: N802
        self, request: pb.UpdateWebhookRequest, context: Any
    ) -> pb.UpdateWebhookResponse:
        """Change a webhook."""
        change = WebhookChange(
            name=request.name if request.HasField("name") else None,
            url=request.url if request.HasField("url") else None,
            secret=request.secret if request.HasField("secret") else None,
            kinds=parse_kinds(request.kinds.kind) if request.HasField("kinds") else None,
            is_active=request.is_active if request.HasField("is_active") else None,
        )
        updated = await self._service.update(parse_uuid(request.webhook_id, "webhook_id"), change)
        return pb.UpdateWebhookResponse(webhook=_webhook_to_proto(updated))

    async def DeleteWebhook(  # noqa: N802
        self, request: pb.DeleteWebhookRequest, context: Any
    ) -> pb.DeleteWebhookResponse:
        """Delete a webhook."""
        await self._service.delete(parse_uuid(request.webhook_id, "webhook_id"))
        return pb.DeleteWebhookResponse()

    async def TestWebhook(self, request: pb.TestWebhookRequest, context: Any) -> pb.TestWebhookResponse:  # noqa: N802
        """Try a webhook."""
        answer = await self._service.test(parse_uuid(request.webhook_id, "webhook_id"))
        return pb.TestWebhookResponse(status=answer.status, error=answer.error)


def _webhook_to_proto(webhook: Webhook) -> pb.Webhook:
    """Return a webhook as a message: without its secret."""
    return pb.Webhook(
        webhook_id=webhook.webhook_id.hex,
        name=webhook.name,
        url=webhook.url,
        kinds=map(kind_to_proto, webhook.kinds),
        model_name=webhook.model_name,
        is_active=webhook.is_active,
        delivered=webhook.delivered,
        given_up=webhook.given_up,
        failed_attempts=webhook.failed_attempts,
        last_error=webhook.last_error,
        creation_time_ms=webhook.creation_time_ms,
    )
