"""Data sets that runs used, in PostgreSQL."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from stepwell_server.errors import InvalidStateError, NotFoundError
from stepwell_server.model.runs import Dataset, DatasetInput
from stepwell_server.store import sql
from stepwell_server.store.postgres.pool import Pool

_QUERIES = sql.load("inputs")


class PostgresInputStore:
    """Implements `ports.InputStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def log_inputs(self, run_id: UUID, inputs: Sequence[DatasetInput]) -> None:
        """See `ports.InputStore`."""
        tags: dict[UUID, dict[str, str]] = {}
        datasets = {dataset_id(it.dataset): it.dataset for it in inputs}
        for it in inputs:
            tags.setdefault(dataset_id(it.dataset), {}).update(it.tags)
        columns = zip(*(_fields(dataset) for dataset in datasets.values()), strict=True)
        async with self._pool.transaction() as connection:
            await connection.execute(_QUERIES["add_datasets"], list(datasets), *map(list, columns))
            noted = await connection.fetch(
                _QUERIES["add_inputs"], run_id, list(tags), [json.dumps(given) for given in tags.values()]
            )
            if not noted:
                if await connection.fetchval(_QUERIES["run_exists"], run_id):
                    raise InvalidStateError(f"run {run_id.hex} is deleted; restore it before logging to it")
                raise NotFoundError(f"there is no run with id {run_id.hex}")

    async def inputs_of(self, run_id: UUID) -> Sequence[DatasetInput]:
        """See `ports.InputStore`."""
        async with self._pool.connection() as connection:
            rows = await connection.fetch(_QUERIES["of_run"], run_id)
        return [_input(row) for row in rows]

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


def dataset_id(dataset: Dataset) -> UUID:
    """Return the id of a data set: a hash of everything that is known of it."""
    return UUID(bytes=hashlib.sha256(json.dumps(_fields(dataset)).encode()).digest()[:16])


def _fields(dataset: Dataset) -> tuple[str, ...]:
    return (
        dataset.name,
        dataset.digest,
        dataset.source_type,
        dataset.source,
        dataset.schema,
        dataset.profile,
    )
