"""AlertService on the wire: check, call, map, answer."""

from typing import Any

from stepwell_api.v1 import alerts_pb2 as pb
from stepwell_api.v1 import alerts_pb2_grpc, ingest_pb2
from stepwell_server.errors import InvalidArgumentError
from stepwell_server.model.alerts import Alert, AlertEntry, AlertLevel, AlertsWanted
from stepwell_server.services.alerts import AlertService
from stepwell_server.transport.mapping import parse_uuid


class AlertServicer(alerts_pb2_grpc.AlertServiceServicer):
    """Answers the calls of `AlertService` in alerts.proto."""

    def __init__(self, service: AlertService) -> None:
        self._service = service

    async def ListAlerts(self, request: pb.ListAlertsRequest, context: Any) -> pb.ListAlertsResponse:  # noqa: N802
        """Return alerts, the latest first."""
        wanted = AlertsWanted(
            parse_uuid(request.run_id, "run_id") if request.run_id else None,
            request.experiment_ids,
            request.before_number,
            parse_level(request.level) if request.level else AlertLevel.INFO,
            request.limit,
        )
        found, has_more = await self._service.list(wanted)
        return pb.ListAlertsResponse(alerts=map(alert_to_proto, found), has_more=has_more)


def parse_level(number: int) -> AlertLevel:
    """Return how urgent an alert is."""
    try:
        return AlertLevel(number)
    except ValueError:
        raise InvalidArgumentError(f"alert level {number} is unknown; use 1 to 3") from None


def alert_from_proto(message: ingest_pb2.Entry) -> AlertEntry:
    """Return what people should know, as an entry of a log."""
    alert = message.alert
    level = parse_level(alert.level)
    return AlertEntry(message.position, alert.title, alert.text, level, alert.timestamp_ms, alert.imported)


def alert_to_proto(alert: Alert) -> pb.StoredAlert:
    """Return an alert as a message."""
    return pb.StoredAlert(
        number=alert.number,
        run_id=alert.run_id.hex,
        run_name=alert.run_name,
        experiment_id=alert.experiment_id,
        alert=ingest_pb2.Alert(
            title=alert.title,
            text=alert.text,
            level=ingest_pb2.AlertLevel.ValueType(alert.level),
            timestamp_ms=alert.time_ms,
        ),
    )
