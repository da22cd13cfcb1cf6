"""Experiments in PostgreSQL."""

from collections.abc import Mapping, Sequence
from typing import Any

from stepwell_server.errors import AlreadyExistsError, NotFoundError
from stepwell_server.model import Experiment, LifecycleStage, ViewType
from stepwell_server.store import sql
from stepwell_server.store.pool import Connection, Pool

# Where artifacts go when nobody says otherwise: through the server, into a place of the experiment's own.
ARTIFACT_ROOT = "stepwell-artifacts:/"

_QUERIES = sql.load("experiments")

_STAGES = {
    ViewType.ACTIVE_ONLY: [LifecycleStage.ACTIVE.value],
    ViewType.DELETED_ONLY: [LifecycleStage.DELETED.value],
    ViewType.ALL: [stage.value for stage in LifecycleStage],
}


class PostgresExperimentStore:
    """Implements `ports.ExperimentStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def locate_default(self) -> None:
        """Give the default experiment its artifact location, if it has none."""
        async with self._pool.connection() as connection:
            await connection.execute(_QUERIES["locate_default"], ARTIFACT_ROOT)

    async def create_experiment(
        self, name: str, artifact_location: str, tags: Mapping[str, str]
    ) -> Experiment:
        """See `ports.ExperimentStore`."""
        async with self._pool.connection() as connection:
            row = await insert_experiment(connection, name, artifact_location, tags)
        if row is None:
            raise AlreadyExistsError(f"experiment {name!r} already exists, maybe as a deleted one")
        return _experiment(row)

    async def get_experiment(self, experiment_id: int) -> Experiment:
        """See `ports.ExperimentStore`."""
        async with self._pool.connection() as connection:
            row = await connection.fetchrow(_QUERIES["get"], experiment_id)
        if row is None:
            raise NotFoundError(f"there is no experiment with id {experiment_id}")
        return _experiment(row)

    async def get_experiment_by_name(self, name: str) -> Experiment:
        """See `ports.ExperimentStore`."""
        async with self._pool.connection() as connection:
            row = await connection.fetchrow(_QUERIES["get_by_name"], name)
        if row is None:
            raise NotFoundError(f"there is no experiment with the name {name!r}")
        return _experiment(row)

    async def list_experiments(
        self, view_type: ViewType, page_size: int, before: tuple[int, int] | None
    ) -> Sequence[Experiment]:
        """See `ports.ExperimentStore`."""
        after = before or (None, None)
        async with self._pool.connection() as connection:
            rows = await connection.fetch(_QUERIES["list"], _STAGES[view_type], *after, page_size)
        return [_experiment(row) for row in rows]


async def insert_experiment(
    connection: Connection, name: str, artifact_location: str = "", tags: Mapping[str, str] | None = None
) -> Any:
    """Add an experiment and return its row, or None when the name is taken."""
    keys, values = list(tags or {}), list((tags or {}).values())
    return await connection.fetchrow(_QUERIES["create"], name, artifact_location, ARTIFACT_ROOT, keys, values)


def _experiment(row: Any) -> Experiment:
    return Experiment(
        experiment_id=row["experiment_id"],
        name=row["name"],
        artifact_location=row["artifact_location"],
        lifecycle_stage=LifecycleStage(row["lifecycle_stage"]),
        creation_time_ms=row["creation_time_ms"],
        last_update_time_ms=row["last_update_time_ms"],
        tags=dict(zip(row["tag_keys"] or (), row["tag_values"] or (), strict=True)),
    )
