"""What runs measured of models, written inside a transaction of somebody else."""

from collections.abc import Sequence
from uuid import UUID

from stepwell_server.model.ingest import ModelPointEntry
from stepwell_server.store.postgres.pool import Connection
from stepwell_server.store.sql import load

_SQL = load("model_points")


async def note_model_points(connection: Connection, points: Sequence[tuple[UUID, ModelPointEntry]]) -> None:
    """Note the latest point of each metric of a model, and that the runs used these models; the runs exist."""
    latest: dict[tuple[UUID, UUID, str, str, str], ModelPointEntry] = {}
    for run_id, point in points:
        name = (run_id, point.model_id, point.key, point.dataset_name, point.dataset_digest)
        known = latest.get(name)
        if known is None or _rank(known) <= _rank(point):
            latest[name] = point
    columns = zip(*latest, strict=True)
    numbers = zip(*((it.step, it.timestamp_ms, it.value) for it in latest.values()), strict=True)
    await connection.execute(_SQL["merge"], *map(list, columns), *map(list, numbers))
    used = sorted({(run_id, point.model_id) for run_id, point in points})
    await connection.execute(_SQL["add_inputs"], [run for run, _ in used], [model for _, model in used])


def _rank(point: ModelPointEntry) -> tuple[int, int, bool, float]:
    """Return what orders points as PostgreSQL does: NaN is above every number."""
    is_nan = point.value != point.value
    return point.step, point.timestamp_ms, is_nan, 0.0 if is_nan else point.value
