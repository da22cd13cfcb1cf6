"""HistogramService on the wire: check, call, map, answer."""

from typing import Any

from stepwell_api.v1 import histograms_pb2 as pb
from stepwell_api.v1 import histograms_pb2_grpc, ingest_pb2
from stepwell_server.model.histograms import HistogramEntry, HistogramsWanted
from stepwell_server.model.series import INT64_MAX
from stepwell_server.services.histograms import HistogramService
from stepwell_server.transport.mapping import parse_uuid


class HistogramServicer(histograms_pb2_grpc.HistogramServiceServicer):
    """Answers the calls of `HistogramService` in histograms.proto."""

    def __init__(self, service: HistogramService) -> None:
        self._service = service

    async def ListHistograms(  # noqa: N802
        self, request: pb.ListHistogramsRequest, context: Any
    ) -> pb.ListHistogramsResponse:
        """Return the names of the histograms of a run."""
        names, has_more = await self._service.names(parse_uuid(request.run_id, "run_id"), request.after_key)
        messages = [
            pb.HistogramName(key=it.key, steps=it.steps, first_step=it.first_step, last_step=it.last_step)
            for it in names
        ]
        return pb.ListHistogramsResponse(names=messages, has_more=has_more)

    async def ReadHistograms(  # noqa: N802
        self, request: pb.ReadHistogramsRequest, context: Any
    ) -> pb.ReadHistogramsResponse:
        """Return histograms of one name."""
        wanted = HistogramsWanted(
            request.key,
            request.step_from if request.HasField("step_from") else -INT64_MAX - 1,
            request.step_to if request.HasField("step_to") else INT64_MAX,
            request.limit,
        )
        found, steps = await self._service.read(parse_uuid(request.run_id, "run_id"), wanted)
        return pb.ReadHistogramsResponse(histograms=map(histogram_to_proto, found), steps=steps)


def histogram_from_proto(message: ingest_pb2.Entry) -> HistogramEntry:
    """Return how values were distributed, as an entry of a log."""
    histogram = message.histogram
    return HistogramEntry(
        message.position,
        histogram.key,
        histogram.step,
        histogram.timestamp_ms,
        tuple(histogram.edges),
        tuple(histogram.counts),
        histogram.not_finite,
    )


def histogram_to_proto(entry: HistogramEntry) -> ingest_pb2.Histogram:
    """Return a histogram as a message."""
    return ingest_pb2.Histogram(
        key=entry.key,
        step=entry.step,
        timestamp_ms=entry.timestamp_ms,
        edges=entry.edges,
        counts=entry.counts,
        not_finite=entry.not_finite,
    )
