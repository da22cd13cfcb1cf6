"""Experiments in PostgreSQL."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg

from stepwell_server.errors import AlreadyExistsError, InvalidArgumentError, InvalidStateError, NotFoundError
from stepwell_server.model.access import EVERYWHERE, Within
from stepwell_server.model.runs import EXPERIMENT_TAGS_BYTES_MAX, Experiment, LifecycleStage, ViewType
from stepwell_server.store import sql
from stepwell_server.store.postgres.pool import Connection, Pool

# Where artifacts go when nobody says otherwise: through the server, into a place of the experiment's own.
ARTIFACT_ROOT = "stepwell-artifacts:/"

_QUERIES = sql.load("experiments")

STAGES = {
    ViewType.ACTIVE_ONLY: [LifecycleStage.ACTIVE.value],
    ViewType.DELETED_ONLY: [LifecycleStage.DELETED.value],
    ViewType.ALL: [stage.value for stage in LifecycleStage],
}

# Tags of the experiments that are read together; the last one may have more.
LISTED_BYTES_MAX = 4 * 2**20


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
        _check_tags(sum(len(key.encode()) + len(value.encode()) for key, value in tags.items()))
        async with self._pool.connection() as connection:
            row = await insert_experiment(connection, name, artifact_location, tags)
        if row is None:
            raise AlreadyExistsError(f"experiment {name!r} already exists")
        return experiment_of(row)

    async def get_experiment(self, experiment_id: int) -> Experiment:
        """See `ports.ExperimentStore`."""
        async with self._pool.connection() as connection:
            row = await connection.fetchrow(_QUERIES["get"], experiment_id)
        if row is None:
            raise _no_such_experiment(experiment_id)
        return experiment_of(row)

    async def get_experiment_by_name(self, name: str) -> Experiment:
        """See `ports.ExperimentStore`."""
        async with self._pool.connection() as connection:
            row = await connection.fetchrow(_QUERIES["get_by_name"], name)
        if row is None:
            raise NotFoundError(f"there is no experiment with the name {name!r}")
        return experiment_of(row)

    async def list_experiments(
        self,
        view_type: ViewType,
        page_size: int,
        before: tuple[int, int] | None,
        within: Within = EVERYWHERE,
    ) -> Sequence[Experiment]:
        """See `ports.ExperimentStore`."""
        after = before or (None, None)
        async with self._pool.connection() as connection:
            stages = STAGES[view_type]
            limits = (page_size, LISTED_BYTES_MAX)
            rows = await connection.fetch(_QUERIES["list"], stages, *after, *limits, *within.chosen(None))
        return [experiment_of(row) for row in rows]

    async def update_experiment(
        self,
        experiment_id: int,
        name: str | None,
        tags: Mapping[str, str],
        logged_time_ms: int | None = None,
    ) -> Experiment:
        """See `ports.ExperimentStore`."""
        async with self._changing(experiment_id, name) as connection:
            if tags:
                keys, values = list(tags), list(tags.values())
                await connection.execute(_QUERIES["set_tags"], experiment_id, keys, values, logged_time_ms)
                _check_tags(await connection.fetchval(_QUERIES["tags_bytes"], experiment_id))
            row = await connection.fetchrow(_QUERIES["get"], experiment_id)
        return experiment_of(row)

    async def delete_experiment_tag(
        self, experiment_id: int, key: str, logged_time_ms: int | None = None
    ) -> None:
        """See `ports.ExperimentStore`."""
        async with self._changing(experiment_id) as connection:
            found = await connection.fetchval(_QUERIES["delete_tag"], experiment_id, key, logged_time_ms)
            if found is None and logged_time_ms is None:
                raise NotFoundError(f"experiment {experiment_id} has no tag {key!r}")

    async def delete_experiment(self, experiment_id: int) -> int:
        """See `ports.ExperimentStore`."""
        return await self._move(experiment_id, LifecycleStage.DELETED, "delete_runs")

    async def restore_experiment(self, experiment_id: int) -> int:
        """See `ports.ExperimentStore`."""
        return await self._move(experiment_id, LifecycleStage.ACTIVE, "restore_runs")

    @asynccontextmanager
    async def _changing(self, experiment_id: int, name: str | None = None) -> AsyncIterator[Connection]:
        """Lend a transaction that has locked the active experiment and noted (and renamed) its change."""
        async with self._pool.transaction() as connection:
            with _unique_name(name):
                changed = await connection.fetchval(_QUERIES["update"], experiment_id, name)
            if changed is None:
                await _stage(connection, experiment_id)
                raise InvalidStateError(
                    f"experiment {experiment_id} is deleted; restore it before changing it"
                )
            yield connection

    async def _move(self, experiment_id: int, stage: LifecycleStage, move_runs: str) -> int:
        """Delete or restore an experiment and, where that changed something, its runs; returns how many runs."""
        async with self._pool.transaction() as connection:
            name = await connection.fetchval(_QUERIES["lock"], experiment_id)
            with _unique_name(name):
                moved = await connection.fetchval(_QUERIES["change_stage"], experiment_id, stage.value)
            if moved is None:
                await _stage(connection, experiment_id)
                return 0
            runs: int = await connection.fetchval(_QUERIES[move_runs], experiment_id)
        return runs


@contextmanager
def _unique_name(name: str | None) -> Iterator[None]:
    """Turn the refusal of a second active experiment of a name into AlreadyExistsError."""
    try:
        yield
    except asyncpg.UniqueViolationError:
        raise AlreadyExistsError(
            f"another active experiment has the name {name!r}; rename or delete that one first"
        ) from None


async def require_active(connection: Connection, experiment_id: int) -> None:
    """Raise InvalidStateError where an experiment was deleted before what was just added to it locked it.

    Where the database is on one machine, the statement that adds has looked already.
    """
    if sql.is_distributed() and await _stage(connection, experiment_id) is LifecycleStage.DELETED:
        raise InvalidStateError("the experiment was deleted just now; restore it, or choose another")


async def _stage(connection: Connection, experiment_id: int) -> LifecycleStage:
    """Return where an experiment stands; raises NotFoundError."""
    stage = await connection.fetchval(_QUERIES["stage"], experiment_id)
    if stage is None:
        raise _no_such_experiment(experiment_id)
    return LifecycleStage(stage)


def _check_tags(size: int) -> None:
    """Refuse tags that could not be read back, because they have to fit into an answer together."""
    if size > EXPERIMENT_TAGS_BYTES_MAX:
        raise InvalidArgumentError(
            f"the tags of the experiment would have {size:,} bytes together, at most {EXPERIMENT_TAGS_BYTES_MAX:,} are "
            "allowed; log what is large as an artifact"
        )


def _no_such_experiment(experiment_id: int) -> NotFoundError:
    return NotFoundError(f"there is no experiment with id {experiment_id}")


async def insert_experiment(
    connection: Connection, name: str, artifact_location: str = "", tags: Mapping[str, str] | None = None
) -> Any:
    """Add an experiment and return its row, or None when the name is taken."""
    keys, values = list(tags or {}), list((tags or {}).values())
    return await connection.fetchrow(_QUERIES["create"], name, artifact_location, ARTIFACT_ROOT, keys, values)


def experiment_of(row: Any) -> Experiment:
    """Return the experiment of a row with its tags."""
    return Experiment(
        experiment_id=row["experiment_id"],
        name=row["name"],
        artifact_location=row["artifact_location"],
        lifecycle_stage=LifecycleStage(row["lifecycle_stage"]),
        creation_time_ms=row["creation_time_ms"],
        last_update_time_ms=row["last_update_time_ms"],
        tags=dict(zip(row["tag_keys"] or (), row["tag_values"] or (), strict=True)),
    )
