"""Data sets that runs used, in PostgreSQL."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from stepwell_server.errors import InvalidStateError, NotFoundError
from stepwell_server.model.runs import (
    DATASET_CONTEXT_TAG,
    Dataset,
    DatasetInput,
    DatasetSummary,
    LifecycleStage,
)
from stepwell_server.store import sql
from stepwell_server.store.ingest.entries.inputs import note_inputs
from stepwell_server.store.postgres.pool import Pool

_QUERIES = sql.load("inputs")


class PostgresInputStore:
    """Implements `ports.InputStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def log_inputs(self, run_id: UUID, inputs: Sequence[DatasetInput]) -> None:
        """See `ports.InputStore`."""
        async with self._pool.transaction() as connection:
            stage = await connection.fetchval(_QUERIES["stage"], run_id)
            if stage is None:
                raise NotFoundError(f"there is no run with id {run_id.hex}")
            if stage == LifecycleStage.DELETED.value:
                raise InvalidStateError(f"run {run_id.hex} is deleted; restore it before logging to it")
            await note_inputs(connection, [(run_id, used) for used in inputs])

    async def summaries(self, experiment_ids: Sequence[int], count_max: int) -> Sequence[DatasetSummary]:
        """See `ports.InputStore`."""
        async with self._pool.connection() as connection:
            rows = await connection.fetch(
                _QUERIES["summaries"], list(experiment_ids), DATASET_CONTEXT_TAG, count_max
            )
        return [DatasetSummary(*row) for row in rows]

    async def inputs_of_runs(
        self, run_ids: Sequence[UUID], bytes_max: int
    ) -> tuple[Mapping[UUID, Sequence[DatasetInput]], int]:
        """See `ports.InputStore`."""
        async with self._pool.connection() as connection:
            rows = await connection.fetch(_QUERIES["of_runs"], list(run_ids), bytes_max)
        inputs: dict[UUID, list[DatasetInput]] = {}
        for row in rows:
            inputs.setdefault(UUID(int=row["run_id"].int), []).append(_input(row))
        first_cut = next((UUID(int=row["run_id"].int) for row in rows if not row["fits"]), None)
        return inputs, len(run_ids) if first_cut is None else list(run_ids).index(first_cut)


def _input(row: Any) -> DatasetInput:
    columns = ("name", "digest", "source_type", "source", "schema", "profile")
    return DatasetInput(Dataset(*(row[column] for column in columns)), json.loads(row["tags"]))
