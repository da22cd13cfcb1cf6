"""Logged models in PostgreSQL: what they are, and what is linked to them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg

from stepwell_server.errors import InvalidArgumentError, InvalidStateError, NotFoundError
from stepwell_server.model.logged_models import (
    MODEL_FILE,
    PAIRS_MAX,
    RUN_MODELS_SHOWN_MAX,
    TEXT_BYTES_MAX,
    LoggedModel,
    LoggedModelSpec,
    LoggedModelStatus,
    ModelOutput,
    RunModels,
    ShownModel,
    model_name,
)
from stepwell_server.model.runs import LifecycleStage
from stepwell_server.search.queries import LoggedModelSearch, RowPosition
from stepwell_server.store import sql
from stepwell_server.store.content.keeping import require_unneeded
from stepwell_server.store.content.model_files import adopt_from_run, show_in_run
from stepwell_server.store.content.references import lock, uuid_of
from stepwell_server.store.models.reading import models_of
from stepwell_server.store.postgres.pool import Connection, Pool
from stepwell_server.store.search.logged_model_query import LoggedModelQuery
from stepwell_server.store.tracking.experiments import insert_experiment, require_active
from stepwell_server.store.tracking.searches import searching

_QUERIES = sql.load("logged_models")


class PostgresLoggedModelStore:
    """Implements `ports.models.LoggedModelStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def create(self, spec: LoggedModelSpec, adopted_folder: str | None = None) -> bool:
        """See `ports.models.LoggedModelStore`."""
        async with self._pool.transaction() as connection:
            if adopted_folder is not None and not await _is_model(connection, spec, adopted_folder):
                return False
            created = await _create(connection, spec)
            if created:
                await _add_params(connection, spec.model_id, spec.params)
                await _set_tags(connection, spec.model_id, spec.tags)
            if created and adopted_folder is not None and spec.source_run_id is not None:
                await lock(connection, spec.model_id)
                await adopt_from_run(connection, spec.model_id, spec.source_run_id, adopted_folder)
                await connection.execute(_QUERIES["set_status"], spec.model_id, LoggedModelStatus.READY, "")
        return created

    async def get(self, model_id: UUID) -> LoggedModel:
        """See `ports.models.LoggedModelStore`."""
        async with self._pool.connection() as connection:
            row = await connection.fetchrow(_QUERIES["get"], model_id)
            if row is None:
                raise _no_such_model(model_id)
            (model,) = await models_of(connection, [row])
        return model

    async def set_status(self, model_id: UUID, status: LoggedModelStatus, message: str) -> None:
        """See `ports.models.LoggedModelStore`."""
        async with self._changing(model_id) as connection:
            await connection.execute(_QUERIES["set_status"], model_id, int(status), message)
            await show_in_run(connection, model_id)

    async def log_params(self, model_id: UUID, params: Mapping[str, str]) -> None:
        """See `ports.models.LoggedModelStore`."""
        async with self._changing(model_id) as connection:
            await _add_params(connection, model_id, params)

    async def set_tags(self, model_id: UUID, tags: Mapping[str, str]) -> None:
        """See `ports.models.LoggedModelStore`."""
        async with self._changing(model_id) as connection:
            await _set_tags(connection, model_id, tags)

    async def delete_tag(self, model_id: UUID, key: str) -> None:
        """See `ports.models.LoggedModelStore`."""
        async with self._changing(model_id) as connection:
            if await connection.fetchval(_QUERIES["delete_tag"], model_id, key) is None:
                raise NotFoundError(
                    f"No tag with key {key!r} found for model with ID {model_name(model_id)!r}."
                )

    async def set_stage(self, model_id: UUID, stage: LifecycleStage) -> None:
        """See `ports.models.LoggedModelStore`."""
        async with self._pool.transaction() as connection:
            await lock(connection, model_id)
            row = await connection.fetchrow(_QUERIES["lock"], model_id)
            if row is None:
                raise _no_such_model(model_id)
            if row["removal_began"] and stage is LifecycleStage.ACTIVE:
                raise InvalidStateError(
                    f"model {model_name(model_id)} is being removed for good; it cannot be restored"
                )
            if row["lifecycle_stage"] != stage.value:
                if stage is LifecycleStage.DELETED:
                    await require_unneeded(connection, model_id, f"model {model_name(model_id)}")
                await connection.execute(_QUERIES["set_stage"], model_id, stage.value)
                await show_in_run(connection, model_id)

    async def shown_in(self, run_id: UUID, path: str) -> ShownModel | None:
        """See `ports.models.LoggedModelStore`."""
        file = f"{path}/{MODEL_FILE}" if path else MODEL_FILE
        async with self._pool.connection() as connection:
            row = await connection.fetchrow(_QUERIES["shown_in"], run_id, file)
        if row is None or not f"{path}/".startswith(f"{row['name']}/"):
            return None
        return ShownModel(uuid_of(row["model_id"]), row["name"], row["artifact_uri"])

    async def search(self, search: LoggedModelSearch) -> Sequence[tuple[LoggedModel, RowPosition]]:
        """See `ports.models.LoggedModelStore`."""
        query = LoggedModelQuery(search, is_distributed=sql.is_distributed())
        async with searching(self._pool, search.filter) as connection:
            rows = await connection.fetch(query.text, *query.parameters.values)
            models = await models_of(connection, rows)
        return [(model, query.position(row)) for model, row in zip(models, rows, strict=True)]

    async def link(self, run_id: UUID, outputs: Sequence[ModelOutput], inputs: Sequence[UUID]) -> None:
        """See `ports.models.LoggedModelStore`."""
        try:
            async with self._pool.transaction() as connection:
                await _require_active_run(connection, run_id)
                unknown = await connection.fetchval(
                    _QUERIES["unknown_models"], [*(it.model_id for it in outputs), *inputs]
                )
                if unknown is not None:
                    raise _no_such_model(uuid_of(unknown))
                steps = {it.model_id: it.step for it in outputs}
                await connection.execute(_QUERIES["add_outputs"], run_id, list(steps), list(steps.values()))
                await connection.execute(_QUERIES["add_inputs"], run_id, sorted(set(inputs)))
        except asyncpg.ForeignKeyViolationError:
            raise NotFoundError("a model that was to be linked was removed just now") from None

    async def models_of_runs(self, run_ids: Sequence[UUID]) -> Mapping[UUID, RunModels]:
        """See `ports.models.LoggedModelStore`."""
        async with self._pool.connection() as connection:
            of_each = max(1, RUN_MODELS_SHOWN_MAX // max(1, len(run_ids)))
            outputs = await connection.fetch(_QUERIES["outputs_of"], list(run_ids), of_each)
            inputs = await connection.fetch(_QUERIES["inputs_of"], list(run_ids), of_each)
        made: dict[UUID, list[ModelOutput]] = {}
        used: dict[UUID, list[UUID]] = {}
        for row in outputs:
            output = ModelOutput(uuid_of(row["model_id"]), row["step"])
            made.setdefault(uuid_of(row["run_id"]), []).append(output)
        for row in inputs:
            used.setdefault(uuid_of(row["run_id"]), []).append(uuid_of(row["model_id"]))
        return {run: RunModels(used.get(run, ()), made.get(run, ())) for run in (*made, *used)}

    @asynccontextmanager
    async def _changing(self, model_id: UUID) -> AsyncIterator[Connection]:
        """Lend a transaction that has locked a model which is not deleted, and noted its change."""
        async with self._pool.transaction() as connection:
            await lock(connection, model_id)
            row = await connection.fetchrow(_QUERIES["lock"], model_id)
            if row is None or row["lifecycle_stage"] == LifecycleStage.DELETED.value:
                raise _no_such_model(model_id)
            await connection.execute(_QUERIES["touch"], model_id)
            yield connection


async def _is_model(connection: Connection, spec: LoggedModelSpec, folder: str) -> bool:
    """Tell whether the source run has a model in a folder."""
    path = f"{folder}/{MODEL_FILE}"
    return bool(await connection.fetchval(_QUERIES["has_file"], spec.source_run_id, path))


async def _create(connection: Connection, spec: LoggedModelSpec) -> bool:
    """Add a model; False when it is there, be it since just now."""
    if await connection.fetchrow(_QUERIES["lock"], spec.model_id) is not None:
        return False
    if await connection.fetchval(_QUERIES["is_run"], spec.model_id):
        raise InvalidArgumentError(
            f"{model_name(spec.model_id)} is the id of a run; make another for the model"
        )
    experiment = await _experiment_for(connection, spec)
    if experiment["lifecycle_stage"] == LifecycleStage.DELETED.value:
        raise InvalidStateError(
            f"experiment {experiment['experiment_id']} is deleted; restore it, or choose another for the model"
        )
    location = experiment["artifact_location"].rstrip("/")
    created = await connection.fetchval(
        _QUERIES["create"],
        spec.model_id,
        experiment["experiment_id"],
        spec.name,
        spec.model_type,
        spec.source_run_id,
        spec.creation_time_ms,
        f"{location}/models/{model_name(spec.model_id)}/artifacts",
    )
    await require_active(connection, experiment["experiment_id"])
    return created is not None


async def _experiment_for(connection: Connection, spec: LoggedModelSpec) -> Any:
    if spec.experiment_name is not None:
        row = await connection.fetchrow(sql.load("runs")["experiment"], None, spec.experiment_name)
        row = row or await insert_experiment(connection, spec.experiment_name)
        return row or await connection.fetchrow(sql.load("runs")["experiment"], None, spec.experiment_name)
    row = await connection.fetchrow(_QUERIES["experiment"], spec.experiment_id, spec.source_run_id)
    if row is None and spec.experiment_id is not None:
        raise NotFoundError(f"there is no experiment with id {spec.experiment_id}")
    if row is None:
        raise NotFoundError(f"there is no run with id {spec.source_run_id.hex if spec.source_run_id else ''}")
    return row


async def _add_params(connection: Connection, model_id: UUID, params: Mapping[str, str]) -> None:
    columns = (model_id, list(params), list(params.values()))
    changed = await connection.fetchrow(_QUERIES["changed_params"], *columns)
    if changed is not None:
        raise InvalidArgumentError(
            f"param {changed['key']!r} of model {model_name(model_id)} was logged before with the value "
            f"{changed['value'][:100]!r} and cannot change; params are written once, use a tag"
        )
    await connection.execute(_QUERIES["add_params"], *columns)
    await _check_extent(connection, model_id)


async def _set_tags(connection: Connection, model_id: UUID, tags: Mapping[str, str]) -> None:
    await connection.execute(_QUERIES["set_tags"], model_id, list(tags), list(tags.values()))
    await _check_extent(connection, model_id)


async def _check_extent(connection: Connection, model_id: UUID) -> None:
    """Refuse what would make a model too large to be read."""
    row = await connection.fetchrow(_QUERIES["extent"], model_id)
    for kind in ("params", "tags"):
        if row[kind] > PAIRS_MAX:
            raise InvalidArgumentError(
                f"a model may have {PAIRS_MAX:,} {kind}; these would make it {row[kind]:,}"
            )
    if row["bytes"] > TEXT_BYTES_MAX:
        raise InvalidArgumentError(
            f"the params and tags of a model may have {TEXT_BYTES_MAX:,} bytes in all; these would make it "
            f"{row['bytes']:,}. Log what is that long as an artifact of the model"
        )


async def _require_active_run(connection: Connection, run_id: UUID) -> None:
    stage = await connection.fetchval(_QUERIES["run_stage"], run_id)
    if stage is None:
        raise NotFoundError(f"there is no run with id {run_id.hex}")
    if stage == LifecycleStage.DELETED.value:
        raise InvalidStateError(f"run {run_id.hex} is deleted; restore it before logging to it")


def _no_such_model(model_id: UUID) -> NotFoundError:
    return NotFoundError(f"Logged model with ID '{model_name(model_id)}' not found.")
