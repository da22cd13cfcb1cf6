"""Runs in PostgreSQL."""

import itertools
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any
from uuid import UUID

from stepwell_server.errors import InvalidStateError, NotFoundError
from stepwell_server.model.runs import (
    LOST_TAG,
    RUN_ITEMS_MAX,
    RUN_NAME_TAG,
    WHOLE_RUN,
    LatestMetric,
    LifecycleStage,
    MetricSummary,
    Run,
    RunInfo,
    RunPart,
    RunRest,
    RunSpec,
    RunStatus,
)
from stepwell_server.store import sql
from stepwell_server.store.postgres.pool import Connection, Pool
from stepwell_server.store.tracking.experiments import insert_experiment, require_active

# Of a param or a tag without its texts, on the wire.
ITEM_BYTES = 24

_QUERIES = sql.load("runs")


class PostgresRunStore:
    """Implements `ports.RunStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def create_run(self, spec: RunSpec) -> tuple[RunInfo, bool]:
        """See `ports.RunStore`."""
        lent = self._pool.transaction if sql.is_distributed() else self._pool.connection
        async with lent() as connection:
            existing = await connection.fetchrow(_QUERIES["info"], spec.run_id)
            created = None if existing else await _create(connection, spec)
            # Nothing was created although nothing was there: somebody else was faster.
            row = existing or created or await connection.fetchrow(_QUERIES["info"], spec.run_id)
        if row is None:
            raise InvalidStateError(
                "the experiment was deleted just now; restore it, or choose another for the run"
            )
        return _run_info(row), created is not None

    async def get_run(self, run_id: UUID) -> Run:
        """See `ports.RunStore`."""
        async with self._pool.connection() as connection:
            row = await connection.fetchrow(_QUERIES["get"], run_id, RUN_ITEMS_MAX + 1)
        if row is None:
            raise _no_such_run(run_id)
        return run_of(row)

    async def rest_of_run(self, run_id: UUID, rest: RunRest, bytes_max: int) -> Run:
        """See `ports.RunStore`."""
        async with self._pool.connection() as connection:
            info = await connection.fetchrow(_QUERIES["info"], run_id)
            if info is None:
                raise _no_such_run(run_id)
            query = _QUERIES[f"rest_of_{rest.part.name.lower()}"]
            after = int(rest.after or 0) if rest.part is RunPart.METRICS else rest.after
            rows = await connection.fetch(query, run_id, after, RUN_ITEMS_MAX)
        is_last = len(rows) < RUN_ITEMS_MAX
        if rest.part is not RunPart.METRICS:
            fitting = max(
                1, sum(row["bytes"] + ITEM_BYTES * number <= bytes_max for number, row in enumerate(rows))
            )
            is_last = is_last and fitting >= len(rows)
            rows = rows[:fitting]
        return _part_of(_run_info(info), rest.part, rows, is_last=is_last)

    async def get_run_info(self, run_id: UUID) -> RunInfo:
        """See `ports.RunStore`."""
        async with self._pool.connection() as connection:
            row = await connection.fetchrow(_QUERIES["info"], run_id)
        if row is None:
            raise _no_such_run(run_id)
        return _run_info(row)

    async def update_run(
        self, run_id: UUID, status: RunStatus | None, end_time_ms: int | None, name: str | None
    ) -> RunInfo:
        """See `ports.RunStore`."""
        async with self._pool.transaction() as connection:
            if name is not None:  # tags are locked before runs, everywhere
                await connection.execute(_QUERIES["set_name_tag"], run_id, RUN_NAME_TAG, name)
            row = await connection.fetchrow(_QUERIES["update"], run_id, status, end_time_ms, name)
            if row is None:
                await _require_active(connection, run_id)
                raise _no_such_run(run_id)  # unreachable but for a run that was restored in between
            if status is not None:
                await connection.execute(_QUERIES["unmark_lost"], run_id, LOST_TAG)
        return _run_info(row)

    async def delete_run(self, run_id: UUID) -> None:
        """See `ports.RunStore`."""
        async with self._pool.connection() as connection:
            if await connection.fetchval(_QUERIES["delete"], run_id) is None:
                raise _no_such_run(run_id)

    async def restore_run(self, run_id: UUID) -> None:
        """See `ports.RunStore`."""
        async with self._pool.connection() as connection:
            if await connection.fetchval(_QUERIES["restore"], run_id) is None:
                row = await connection.fetchrow(_QUERIES["info"], run_id)
                if row is None:
                    raise _no_such_run(run_id)
                raise InvalidStateError(
                    f"run {run_id.hex} is in experiment {row['experiment_id']}, which is deleted; restore that first"
                )

    async def delete_tag(self, run_id: UUID, key: str) -> None:
        """See `ports.RunStore`."""
        async with self._pool.connection() as connection:
            deleted = await connection.fetchval(_QUERIES["delete_tag"], run_id, key)
            if deleted is None:
                await _require_active(connection, run_id)
                raise NotFoundError(f"run {run_id.hex} has no tag {key!r}")


async def _create(connection: Connection, spec: RunSpec) -> Any:
    """Add the run and return its row, or None when another caller added it at the same time."""
    experiment = await _experiment_for(connection, spec)
    if experiment["lifecycle_stage"] == LifecycleStage.DELETED.value:
        raise InvalidStateError(
            f"experiment {experiment['experiment_id']} is deleted; restore it, or choose another for the run"
        )
    row = await connection.fetchrow(
        _QUERIES["create"],
        spec.run_id,
        experiment["experiment_id"],
        spec.name,
        spec.start_time_ms,
        spec.user,
        f"{experiment['artifact_location'].rstrip('/')}/{spec.run_id.hex}/artifacts",
        list(spec.tags),
        list(spec.tags.values()),
    )
    await require_active(connection, experiment["experiment_id"])
    return row


async def _experiment_for(connection: Connection, spec: RunSpec) -> Any:
    """Return the experiment that the spec names; one that is named by its name is made when it is missing."""
    if spec.experiment_id is None and spec.experiment_name is None:
        raise _no_such_run(spec.run_id)
    named = (spec.experiment_id, spec.experiment_name)
    row = await connection.fetchrow(_QUERIES["experiment"], *named)
    if row is None and spec.experiment_name is not None:
        row = await insert_experiment(connection, spec.experiment_name)
        row = row or await connection.fetchrow(_QUERIES["experiment"], *named)
    if row is None:
        raise NotFoundError(f"there is no experiment with id {spec.experiment_id}")
    return row


async def _require_active(connection: Connection, run_id: UUID) -> None:
    row = await connection.fetchrow(_QUERIES["info"], run_id)
    if row is None:
        raise _no_such_run(run_id)
    if row["lifecycle_stage"] == LifecycleStage.DELETED.value:
        raise InvalidStateError(f"run {run_id.hex} is deleted; restore it before changing it")


def _no_such_run(run_id: UUID) -> NotFoundError:
    return NotFoundError(f"there is no run with id {run_id.hex}")


def _run_info(row: Any) -> RunInfo:
    return RunInfo(
        run_id=UUID(int=row["run_id"].int),  # asyncpg has a UUID class of its own
        experiment_id=row["experiment_id"],
        name=row["name"],
        status=RunStatus(row["status"]),
        start_time_ms=row["start_time_ms"],
        end_time_ms=row["end_time_ms"],
        lifecycle_stage=LifecycleStage(row["lifecycle_stage"]),
        user=row["user_name"],
        artifact_uri=row["artifact_uri"],
    )


def run_of(row: Any, metric_names: Mapping[int, str] | None = None) -> Run:
    """Return the run of a row, with params, tags and metrics in key order as far as the row has them.

    A row has the names of metrics, or their numbers if `metric_names` are given.
    """
    keys = row.get("metric_keys") or [
        metric_names[number] for number in row.get("metric_ids") or () if metric_names
    ]
    columns = (row.get(name) or () for name in ("metric_values", "metric_steps", "metric_timestamps_ms"))
    metrics = zip(keys, *columns, _summaries(row) or itertools.repeat(None, len(keys)), strict=True)
    return Run(
        info=_run_info(row),
        params=_pairs(row, "param"),
        tags=_pairs(row, "tag"),
        rest=WHOLE_RUN if _is_cut(row) else None,
        has_inputs=row.get("has_inputs", False),
        has_models=row.get("has_models", False),
        metrics=list(map(LatestMetric._make, sorted(metrics, key=_KEY))),
    )


def _summaries(row: Any) -> list[MetricSummary]:
    """Return what all points of each metric have in common, if the row has it."""
    if not row.get("metric_counts"):
        return []
    names = ("minima", "maxima", "means", "counts", "non_finite_counts")
    columns = (row.get(f"metric_{name}") or () for name in names)
    return [MetricSummary(*values) for values in zip(*columns, strict=True)]


def _is_cut(row: Any) -> bool:
    """Tell whether there is more than what comes at once."""
    columns = ("param_keys", "tag_keys", "metric_values")
    return any(len(row.get(name) or ()) > RUN_ITEMS_MAX for name in columns)


def _part_of(info: RunInfo, part: RunPart, rows: Sequence[Any], *, is_last: bool) -> Run:
    """Return some rows of one part as a run, and where the rest begins."""
    params = tags = {}
    metrics: list[LatestMetric] = []
    if part is RunPart.METRICS:
        metrics = [LatestMetric(*list(row)[1:]) for row in rows]
    elif part is RunPart.PARAMS:
        params = {row["key"]: row["value"] for row in rows}
    else:
        tags = {row["key"]: row["value"] for row in rows}
    rest = None if is_last else RunRest(part, str(rows[-1][0]))
    if is_last and part is not RunPart.METRICS:
        rest = RunRest(RunPart(part.value + 1))
    return Run(info, params, tags, metrics, rest=rest)


_KEY = itemgetter(0)


def _pairs(row: Any, kind: str) -> dict[str, str]:
    keys, values = row.get(f"{kind}_keys") or (), row.get(f"{kind}_values") or ()
    return dict(sorted(zip(keys, values, strict=True), key=_KEY))
