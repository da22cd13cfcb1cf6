"""SeriesService over gRPC."""

from collections.abc import AsyncIterator
from typing import Any

from stepwell_api.v1 import series_pb2, series_pb2_grpc
from stepwell_server.services.series import SeriesService
from stepwell_server.transport.mapping import parse_uuid


class SeriesServicer(series_pb2_grpc.SeriesServiceServicer):
    """Check, call, map, answer."""

    def __init__(self, series: SeriesService) -> None:
        self._series = series

    async def GetHistory(  # noqa: N802
        self, request: series_pb2.GetHistoryRequest, context: Any
    ) -> AsyncIterator[series_pb2.GetHistoryResponse]:
        """Stream a history."""
        async for points in self._series.history(parse_uuid(request.run_id, "run_id"), request.key):
            yield series_pb2.GetHistoryResponse(
                step=points.steps.tolist(),
                timestamp_ms=points.timestamps_ms.tolist(),
                value=points.values.tolist(),
            )
