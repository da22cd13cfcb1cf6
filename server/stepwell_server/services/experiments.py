"""The rules of experiments."""

from collections.abc import Callable, Mapping, Sequence

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.model.access import EVERYWHERE, Within
from stepwell_server.model.runs import (
    DEFAULT_EXPERIMENT_ID,
    DEFAULT_EXPERIMENT_NAME,
    EXPERIMENTS_PAGE_SIZE_DEFAULT,
    EXPERIMENTS_PAGE_SIZE_MAX,
    Experiment,
    ViewType,
)
from stepwell_server.services import validation
from stepwell_server.services.paging.pages import make_token, read_token
from stepwell_server.services.sizes import experiment_bytes, fitting_experiment, rows_that_fit
from stepwell_server.store.ports.tracking import ExperimentStore

_LISTING = "experiments"


class ExperimentService:
    """Creates and reads experiments. Raises what `ports.ExperimentStore` raises, and InvalidArgumentError."""

    def __init__(self, store: ExperimentStore, check_location: Callable[[str], object]) -> None:
        """`check_location` raises InvalidArgumentError for a place where no artifacts may go."""
        self._store = store
        self._check_location = check_location

    async def create(self, name: str, artifact_location: str, tags: Mapping[str, str]) -> Experiment:
        """Create an experiment; an empty location means the server's default."""
        validation.check_experiment_name(name)
        validation.check_artifact_location(artifact_location)
        self._check_location(artifact_location)
        validation.check_experiment_tags(tags)
        return await self._store.create_experiment(name, artifact_location, tags)

    async def get(self, experiment_id: int) -> Experiment:
        """Return an experiment, active or deleted."""
        return fitting_experiment(await self._store.get_experiment(experiment_id))

    async def get_by_name(self, name: str) -> Experiment:
        """Return an experiment, active or deleted."""
        validation.check_experiment_name(name)
        return fitting_experiment(await self._store.get_experiment_by_name(name))

    async def list(
        self, view_type: ViewType, page_size: int, page_token: str, within: Within = EVERYWHERE
    ) -> tuple[Sequence[Experiment], str]:
        """Return a page, newest first, and the token of the next one, empty after the last."""
        if not 0 <= page_size <= EXPERIMENTS_PAGE_SIZE_MAX:
            raise InvalidArgumentError(
                f"the page size is {page_size}; it has to be from 1 to {EXPERIMENTS_PAGE_SIZE_MAX:,}, or 0"
            )
        size = page_size or EXPERIMENTS_PAGE_SIZE_DEFAULT
        # One more than asked for tells whether there is another page.
        found = await self._store.list_experiments(view_type, size + 1, _read_position(page_token), within)
        count = rows_that_fit(list(map(experiment_bytes, found[:size])))
        page = [fitting_experiment(experiment) for experiment in found[:count]]
        return page, make_token(_LISTING, _position(page[-1])) if len(found) > count else ""

    async def update(
        self,
        experiment_id: int,
        name: str | None,
        tags: Mapping[str, str],
        logged_time_ms: int | None = None,
    ) -> Experiment:
        """Rename an experiment, if a name is given, and set tags, as of a moment if it was not now."""
        if name is not None:
            validation.check_experiment_name(name)
        validation.check_experiment_tags(tags)
        return await self._store.update_experiment(experiment_id, name, tags, logged_time_ms)

    async def delete_tag(self, experiment_id: int, key: str, logged_time_ms: int | None = None) -> None:
        """Remove a tag, as of a moment if it was not now."""
        validation.check_key("tag", key)
        await self._store.delete_experiment_tag(experiment_id, key, logged_time_ms)

    async def delete(self, experiment_id: int) -> int:
        """Delete an experiment with its active runs; returns how many runs."""
        if experiment_id == DEFAULT_EXPERIMENT_ID:
            raise InvalidArgumentError(
                f"the experiment {DEFAULT_EXPERIMENT_NAME} stays: runs without another one go there; delete its runs"
            )
        return await self._store.delete_experiment(experiment_id)

    async def restore(self, experiment_id: int) -> int:
        """Restore an experiment with the runs that were deleted with it; returns how many runs."""
        return await self._store.restore_experiment(experiment_id)


def _position(experiment: Experiment) -> tuple[int, int]:
    return experiment.creation_time_ms, experiment.experiment_id


def _read_position(page_token: str) -> tuple[int, int] | None:
    position = read_token(_LISTING, page_token, length=2)
    return (position[0], position[1]) if position else None
