"""Histograms, written inside the commit's transaction."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from stepwell_server.model.histograms import HistogramEntry
from stepwell_server.store.postgres.pool import Connection
from stepwell_server.store.sql import load

_SQL = load("histograms")


async def write_histograms(
    connection: Connection, histograms: Sequence[tuple[UUID, UUID, HistogramEntry]]
) -> None:
    """Write histograms, each with its run and its writer, which exist."""
    await connection.execute(
        _SQL["add"],
        [run_id for run_id, _, _ in histograms],
        [writer_id for _, writer_id, _ in histograms],
        [entry.position for *_, entry in histograms],
        [entry.key for *_, entry in histograms],
        [entry.step for *_, entry in histograms],
        [entry.timestamp_ms for *_, entry in histograms],
        # PostgreSQL has no arrays of arrays of different lengths.
        [_array(map(repr, entry.edges)) for *_, entry in histograms],
        [_array(map(str, entry.counts)) for *_, entry in histograms],
        [entry.not_finite for *_, entry in histograms],
    )


def _array(numbers: Iterable[str]) -> str:
    return f"{{{','.join(numbers)}}}"
