"""Data sets that runs used, in PostgreSQL."""

import hashlib
import json
from collections.abc import Sequence
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
        return [DatasetInput(Dataset(*tuple(row)[:-1]), json.loads(row["tags"])) for row in rows]


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
