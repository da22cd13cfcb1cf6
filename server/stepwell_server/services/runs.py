"""The rules of runs."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from uuid import UUID

from stepwell_server.errors import InvalidArgumentError, InvalidStateError, TooMuchError
from stepwell_server.model.access import EVERYWHERE, Within
from stepwell_server.model.ingest import AwaitedWriter
from stepwell_server.model.runs import (
    DATASET_EXPERIMENTS_MAX,
    DATASET_SUMMARIES_MAX,
    NO_MODELS,
    DatasetInput,
    DatasetSummary,
    LifecycleStage,
    Run,
    RunInfo,
    RunRest,
    RunSpec,
    RunStatus,
)
from stepwell_server.services import validation
from stepwell_server.services.leases import LeaseService
from stepwell_server.services.sizes import ANSWER_INPUT_BYTES_MAX, fitting_run, run_bytes
from stepwell_server.store.ports.models import LoggedModelStore
from stepwell_server.store.ports.tracking import InputStore, RewindStore, RunStore

# What one answer holds of what a run logged; the rest of the message is for its data sets and models.
RUN_BYTES_MAX = 3 * 2**20
# What is put together for those who cannot read a run in pages.
WHOLE_RUN_BYTES_MAX = 32 * 2**20


class RunService:
    """Creates, reads and changes runs. Raises what `ports.RunStore` raises, and InvalidArgumentError."""

    def __init__(
        self,
        store: RunStore,
        rewinds: RewindStore,
        inputs: InputStore,
        models: LoggedModelStore,
        leases: LeaseService,
    ) -> None:
        self._store = store
        self._leases = leases
        self._rewinds = rewinds
        self._inputs = inputs
        self._models = models

    async def create(self, spec: RunSpec, awaited: AwaitedWriter | None = None) -> tuple[Run, bool]:
        """Create a run unless it exists; tells whether it was created. A repeat changes nothing.

        `awaited` is the process that will open a stream for it: when it does not, the run is lost.
        """
        if awaited is not None:
            validation.check_host(awaited.host)
        _, created = await self._store.create_run(validation.checked_run_spec(spec))
        if awaited is not None:
            await self._leases.await_writer(spec.run_id, awaited)
        return fitting_run(await self._store.get_run(spec.run_id)), created

    async def get(self, run_id: UUID) -> Run:
        """Return a run with what it logged, the data sets that it used, and its models.

        What does not fit into an answer is left out: then the run has a `rest`.
        """
        run = fitting_run(await self._store.get_run(run_id), RUN_BYTES_MAX)
        models = await self._models.models_of_runs([run_id])
        inputs, _ = await self._inputs.inputs_of_runs([run_id], ANSWER_INPUT_BYTES_MAX)
        return replace(run, inputs=inputs.get(run_id, ()), models=models.get(run_id, NO_MODELS))

    async def rest(self, run_id: UUID, rest: RunRest) -> Run:
        """Return some more of what a run logged, and where the rest of that begins."""
        return await self._store.rest_of_run(run_id, rest, RUN_BYTES_MAX)

    async def whole(self, run_id: UUID, grow: Callable[[int], Awaitable[None]]) -> Run:
        """Return a run with all that it logged; `grow` hears how many bytes it has so far.

        Raises:
            TooMuchError: that is more than WHOLE_RUN_BYTES_MAX.
        """
        run = await self.get(run_id)
        params, tags = dict(run.params), dict(run.tags)
        metrics = {metric.key: metric for metric in run.metrics}
        rest, size = run.rest, run_bytes(run)
        while rest is not None:
            part = await self.rest(run_id, rest)
            params |= part.params
            tags |= part.tags
            metrics |= {metric.key: metric for metric in part.metrics}
            rest, size = part.rest, size + run_bytes(part)
            await grow(size)
            if size > WHOLE_RUN_BYTES_MAX:
                raise TooMuchError(
                    f"run {run_id.hex} has more params, tags and metrics than {WHOLE_RUN_BYTES_MAX:,} bytes; "
                    "read it with Stepwell's own client, which reads it in pages"
                )
        return replace(
            run,
            params=dict(sorted(params.items())),
            tags=dict(sorted(tags.items())),
            metrics=[metrics[key] for key in sorted(metrics)],
            rest=None,
        )

    async def get_info(self, run_id: UUID) -> RunInfo:
        """Return a run without what it logged."""
        return await self._store.get_run_info(run_id)

    async def log_inputs(self, run_id: UUID, inputs: Sequence[DatasetInput]) -> None:
        """Note data sets that a run used."""
        validation.check_inputs(inputs)
        if inputs:
            await self._inputs.log_inputs(run_id, inputs)

    async def datasets_of(
        self, experiment_ids: Sequence[int], within: Within = EVERYWHERE
    ) -> Sequence[DatasetSummary]:
        """Return which data sets the runs of up to 20 experiments used, up to 1,000."""
        if not 1 <= len(experiment_ids) <= DATASET_EXPERIMENTS_MAX:
            raise InvalidArgumentError(
                f"data sets are searched in 1 to {DATASET_EXPERIMENTS_MAX} experiments, not {len(experiment_ids)}"
            )
        chosen = [id_ for id_ in experiment_ids if id_ in within]
        return await self._inputs.summaries(chosen, DATASET_SUMMARIES_MAX)

    async def update(
        self, run_id: UUID, status: RunStatus | None, end_time_ms: int | None, name: str | None
    ) -> RunInfo:
        """Change what is not None."""
        if end_time_ms is not None:
            validation.check_time("the end time", end_time_ms)
        if name is not None:
            validation.check_run_name(name)
        return await self._store.update_run(run_id, status, end_time_ms, name)

    async def delete_tag(self, run_id: UUID, key: str) -> None:
        """Remove a tag."""
        validation.check_key("tag", key)
        await self._store.delete_tag(run_id, key)

    async def delete(self, run_id: UUID) -> None:
        """Delete a run."""
        await self._store.delete_run(run_id)

    async def restore(self, run_id: UUID) -> None:
        """Restore a run."""
        await self._store.restore_run(run_id)

    async def rewind(self, run_id: UUID, from_step: int) -> int:
        """Hide what earlier attempts logged from a step on; returns the number of the rewind, 0 for nothing to hide."""
        await self._require_active(run_id)
        return await self._rewinds.rewind(run_id, from_step)

    async def undo_rewind(self, run_id: UUID, rewind_number: int) -> int:
        """Take a rewind back, the latest one if the number is 0; returns its number."""
        if rewind_number < 0:
            raise InvalidArgumentError(
                f"rewinds have numbers from 1, not {rewind_number}; 0 means the latest one"
            )
        await self._require_active(run_id)
        return await self._rewinds.undo_rewind(run_id, rewind_number)

    async def _require_active(self, run_id: UUID) -> None:
        info = await self._store.get_run_info(run_id)
        if info.lifecycle_stage is LifecycleStage.DELETED:
            raise InvalidStateError(f"run {run_id.hex} is deleted; restore it before changing it")
