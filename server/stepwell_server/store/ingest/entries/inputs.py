"""Data sets that runs used, written inside a transaction of somebody else."""

import hashlib
import json
from collections.abc import Sequence
from uuid import UUID

from stepwell_server.model.runs import Dataset, DatasetInput
from stepwell_server.store.postgres.pool import Connection
from stepwell_server.store.sql import load

_SQL = load("inputs")


async def note_inputs(connection: Connection, inputs: Sequence[tuple[UUID, DatasetInput]]) -> None:
    """Note which data sets runs used; the runs exist. Rows are taken in order, so that commits never deadlock."""
    datasets = {dataset_id(used.dataset): used.dataset for _, used in inputs}
    tags: dict[tuple[UUID, UUID], dict[str, str]] = {}
    for run_id, used in inputs:
        tags.setdefault((run_id, dataset_id(used.dataset)), {}).update(used.tags)
    columns = zip(*(_fields(dataset) for dataset in datasets.values()), strict=True)
    await connection.execute(_SQL["add_datasets"], list(datasets), *map(list, columns))
    await connection.execute(
        _SQL["add_inputs"],
        [run_id for run_id, _ in tags],
        [dataset for _, dataset in tags],
        [json.dumps(given) for given in tags.values()],
    )


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
