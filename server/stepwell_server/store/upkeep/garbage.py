"""Removing deleted runs and experiments for good, in steps that each are one short transaction.

A run goes from its points up: chunks, latest points, params, tags, writers, and the run itself last. A removal that was
cut short goes on with the next one; until then the run stays deleted and cannot be restored.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from stepwell_server.errors import InvalidStateError, NotFoundError
from stepwell_server.model.runs import LifecycleStage
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.sql import load

# Rows that one transaction removes, at most: 1,000 chunks are 4 million points at the most.
STEP_ROWS_MAX = 1_000
PAGE_RUNS = 500
REMOVE_TRIES_MAX = 3

_SQL = load("garbage")
_LOCK_ARTIFACTS = load("artifacts")["lock_run"]
_PARTS = (
    "remove_latest",
    "remove_params",
    "remove_tags",
    "remove_additions",
    "remove_model_outputs",
    "remove_model_inputs",
    "remove_model_metrics",
    "remove_writers",
)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which deleted things are meant: deleted so long ago, and only these where ids are given."""

    older_than_s: float = 0.0
    run_ids: Sequence[UUID] | None = None
    experiment_ids: Sequence[int] | None = None


class GarbageStore:
    """Finds and removes what was deleted."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def check(self, selection: Selection) -> None:
        """Refuse ids that cannot be meant.

        Raises:
            NotFoundError: there is no such run or experiment.
            InvalidStateError: it is not deleted.
        """
        async with self._pool.connection() as connection:
            runs = await connection.fetch(_SQL["known_runs"], selection.run_ids or [])
            experiments = await connection.fetch(_SQL["known_experiments"], selection.experiment_ids or [])
        stages = {row["run_id"]: row["lifecycle_stage"] for row in runs}
        for run_id in selection.run_ids or []:
            _require_deleted("run", run_id.hex, stages.get(run_id))
        stages = {row["experiment_id"]: row["lifecycle_stage"] for row in experiments}
        for experiment_id in selection.experiment_ids or []:
            _require_deleted("experiment", str(experiment_id), stages.get(experiment_id))

    async def runs(self, selection: Selection) -> AsyncIterator[UUID]:
        """Yield the runs of the selection, in pages; they may be removed meanwhile."""
        last, before_ms = UUID(int=0), await self._latest_deletion_ms(selection)
        while True:
            async with self._pool.connection() as connection:
                page = await connection.fetch(
                    _SQL["removable_runs"],
                    before_ms,
                    selection.run_ids,
                    selection.experiment_ids,
                    last,
                    PAGE_RUNS,
                )
            for row in page:
                last = row["run_id"]
                yield last
            if len(page) < PAGE_RUNS:
                return

    async def experiments(self, selection: Selection, *, with_runs: bool) -> Sequence[int]:
        """Return the deleted experiments of the selection that have no run, or `with_runs` only runs of it."""
        if selection.run_ids is not None:
            return []
        before_ms = await self._latest_deletion_ms(selection)
        async with self._pool.connection() as connection:
            rows = await connection.fetch(
                _SQL["removable_experiments"],
                before_ms,
                selection.experiment_ids,
                with_runs,
            )
        return [row["experiment_id"] for row in rows]

    async def count_points(self, run_id: UUID) -> int:
        """Return how many points a run has."""
        async with self._pool.connection() as connection:
            return int(await connection.fetchval(_SQL["count_points"], run_id))

    async def count_artifacts(self, run_id: UUID) -> int:
        """Return how many artifacts a run shows."""
        async with self._pool.connection() as connection:
            return int(await connection.fetchval(_SQL["count_artifacts"], run_id))

    async def begin(self, run_id: UUID) -> bool:
        """Make the removal of a run final; False when it was restored meanwhile, or a version needs its files."""
        return await self._begin("begin_removal", run_id)

    async def remove_points(self, run_id: UUID) -> AsyncIterator[int]:
        """Remove the points of a run step by step, yielding how many each step removed."""
        while True:
            async with self._pool.connection() as connection:
                rows = await connection.fetch(_SQL["remove_chunks"], run_id, STEP_ROWS_MAX)
            if not rows:
                return
            yield sum(row["count"] for row in rows)

    async def remove_rest(self, run_id: UUID) -> None:
        """Remove all else of a run, and the run.

        Raises:
            InvalidStateError: processes keep opening writers of the run.
        """
        for _ in range(REMOVE_TRIES_MAX):
            for part in _PARTS:
                await self._remove_all(part, run_id)
            with suppress(asyncpg.ForeignKeyViolationError):  # somebody opened another writer just now
                if await self._remove("run", run_id):
                    return
        raise InvalidStateError(f"run {run_id.hex} is still being written to; stop its processes first")

    async def models(self, selection: Selection) -> AsyncIterator[UUID]:
        """Yield the logged models to remove, in pages: deleted ones, and all of deleted experiments."""
        if selection.run_ids is not None:
            return
        last, before_ms = UUID(int=0), await self._latest_deletion_ms(selection)
        while True:
            async with self._pool.connection() as connection:
                page = await connection.fetch(
                    _SQL["removable_models"], before_ms, selection.experiment_ids, last, PAGE_RUNS
                )
            for row in page:
                last = row["model_id"]
                yield last
            if len(page) < PAGE_RUNS:
                return

    async def begin_model(self, model_id: UUID) -> bool:
        """Make the removal of a logged model final; False when it was restored, or a version needs its files."""
        return await self._begin("begin_model_removal", model_id)

    async def _latest_deletion_ms(self, selection: Selection) -> int:
        """By the database's clock, which said when something was deleted."""
        async with self._pool.connection() as connection:
            now_ms: int = await connection.fetchval(_SQL["now"])
        return now_ms - round(selection.older_than_s * 1_000)

    async def _begin(self, query: str, id_: UUID) -> bool:
        async with self._pool.transaction() as connection:
            # Under it versions of registered models are created, which then need the files.
            await connection.execute(_LOCK_ARTIFACTS, id_)
            return await connection.fetchval(_SQL[query], id_) is not None

    async def remove_model(self, model_id: UUID) -> None:
        """Remove all of a logged model but its files, which went before.

        Raises:
            InvalidStateError: it keeps getting files.
        """
        for _ in range(REMOVE_TRIES_MAX):
            async with self._pool.connection() as connection:
                await connection.execute(_SQL["remove_model_rows"], model_id)
            with suppress(asyncpg.ForeignKeyViolationError):  # a run was linked to it just now
                if await self._remove("model", model_id):
                    return
        raise InvalidStateError(f"model m-{model_id.hex} is still being written to; try again")

    async def _remove(self, kind: str, id_: UUID) -> bool:
        """Remove a run or a model of which nothing is left; tells whether that is so."""
        async with self._pool.transaction() as connection:
            # Two statements: the second one sees what whoever had the row before has left.
            await connection.fetchval(_SQL[f"lock_{kind}"], id_)
            await connection.execute(_SQL["remove_artifact_lock"], id_)
            return await connection.fetchval(_SQL[f"remove_{kind}"], id_) is not None

    async def _remove_all(self, part: str, run_id: UUID) -> None:
        removed = STEP_ROWS_MAX
        while removed == STEP_ROWS_MAX:
            async with self._pool.connection() as connection:
                removed = len(await connection.fetch(_SQL[part], run_id, STEP_ROWS_MAX))

    async def remove_experiment(self, experiment_id: int) -> bool:
        """Remove an experiment without runs; False when it was restored meanwhile, or got a run."""
        with suppress(asyncpg.ForeignKeyViolationError):
            async with self._pool.transaction() as connection:
                await connection.execute(_SQL["remove_experiment_tags"], experiment_id)
                return await connection.fetchval(_SQL["remove_experiment"], experiment_id) is not None
        return False


def _require_deleted(kind: str, name: str, stage: str | None) -> None:
    if stage is None:
        raise NotFoundError(f"there is no {kind} {name}")
    if stage != LifecycleStage.DELETED.value:
        raise InvalidStateError(f"{kind} {name} is not deleted; delete it before it can be removed for good")
