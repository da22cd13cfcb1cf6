"""The rules of runs."""

from uuid import UUID

from stepwell_server.model import Run, RunInfo, RunSpec, RunStatus
from stepwell_server.services import validation
from stepwell_server.store.ports import RunStore


class RunService:
    """Creates, reads and changes runs. Raises what `ports.RunStore` raises, and InvalidArgumentError."""

    def __init__(self, store: RunStore) -> None:
        self._store = store

    async def create(self, spec: RunSpec) -> tuple[Run, bool]:
        """Create a run unless it exists; tells whether it was created. A repeat changes nothing."""
        _, created = await self._store.create_run(validation.checked_run_spec(spec))
        return await self._store.get_run(spec.run_id), created

    async def get(self, run_id: UUID) -> Run:
        """Return a run with what it logged."""
        return await self._store.get_run(run_id)

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
