"""What the services ask of a store. Every promise a store makes is written here, in the docstrings.

All methods raise `UnavailableError` when the database cannot be reached.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

from stepwell_server.model.access import EVERYWHERE, Within
from stepwell_server.model.runs import (
    DatasetInput,
    DatasetSummary,
    Experiment,
    Keys,
    Run,
    RunInfo,
    RunRest,
    RunSpec,
    RunStatus,
    ViewType,
)
from stepwell_server.search.expressions import Expression
from stepwell_server.search.queries import ExperimentSearch, RowPosition, RunSearch


class ExperimentStore(Protocol):
    """Experiments."""

    async def create_experiment(
        self, name: str, artifact_location: str, tags: Mapping[str, str]
    ) -> Experiment:
        """Create an experiment; an empty location means the server's default.

        Raises:
            AlreadyExistsError: an active experiment has the name.
        """
        ...

    async def get_experiment(self, experiment_id: int) -> Experiment:
        """Return an experiment, active or deleted.

        Raises:
            NotFoundError: there is none of this id.
        """
        ...

    async def get_experiment_by_name(self, name: str) -> Experiment:
        """Return the active experiment of this name, or else the deleted one that changed last.

        Raises:
            NotFoundError: there is none of this name.
        """
        ...

    async def list_experiments(
        self,
        view_type: ViewType,
        page_size: int,
        before: tuple[int, int] | None,
        within: Within = EVERYWHERE,
    ) -> Sequence[Experiment]:
        """Return a page, newest first: those that come after `before`, a (creation_time_ms, experiment_id)."""
        ...

    async def update_experiment(
        self,
        experiment_id: int,
        name: str | None,
        tags: Mapping[str, str],
        logged_time_ms: int | None = None,
    ) -> Experiment:
        """Give an experiment a name, if one is given, and set tags over what is there.

        With a time, in milliseconds, tags that were set after it stay.

        Raises:
            NotFoundError: there is none of this id.
            InvalidStateError: it is deleted.
            AlreadyExistsError: another active experiment has the name.
        """
        ...

    async def delete_experiment_tag(
        self, experiment_id: int, key: str, logged_time_ms: int | None = None
    ) -> None:
        """Remove a tag. With a time, in milliseconds, one that was set after it stays, and none is no error.

        Raises:
            NotFoundError: there is no such experiment, or no such tag.
            InvalidStateError: the experiment is deleted.
        """
        ...

    async def delete_experiment(self, experiment_id: int) -> int:
        """Delete an experiment softly with its active runs; returns how many runs. A repeat changes nothing.

        Raises:
            NotFoundError: there is none of this id.
        """
        ...

    async def restore_experiment(self, experiment_id: int) -> int:
        """Restore an experiment with the runs that were deleted with it; returns how many. A repeat changes nothing.

        Raises:
            NotFoundError: there is none of this id.
            AlreadyExistsError: another active experiment has its name.
        """
        ...


class RunStore(Protocol):
    """Runs."""

    async def create_run(self, spec: RunSpec) -> tuple[RunInfo, bool]:
        """Create a run unless it exists; tells whether it was created. A repeat changes nothing.

        Raises:
            NotFoundError: the experiment does not exist, or the spec names none and the run does not exist.
            InvalidStateError: the experiment is deleted.
        """
        ...

    async def get_run(self, run_id: UUID) -> Run:
        """Return a run with what it logged; of what is too much, some, and where the `rest` begins.

        Raises:
            NotFoundError: there is none of this id.
        """
        ...

    async def rest_of_run(self, run_id: UUID, rest: RunRest, bytes_max: int) -> Run:
        """Return some more of what a run logged, about `bytes_max` bytes, and where the rest of that begins.

        Raises:
            NotFoundError: there is none of this id.
        """
        ...

    async def get_run_info(self, run_id: UUID) -> RunInfo:
        """Return a run without what it logged.

        Raises:
            NotFoundError: there is none of this id.
        """
        ...

    async def update_run(
        self, run_id: UUID, status: RunStatus | None, end_time_ms: int | None, name: str | None
    ) -> RunInfo:
        """Change what is not None; a new name also sets the tag mlflow.runName.

        Raises:
            NotFoundError: there is none of this id.
            InvalidStateError: the run is deleted.
        """
        ...

    async def delete_tag(self, run_id: UUID, key: str) -> None:
        """Remove a tag.

        Raises:
            NotFoundError: there is no such run, or no such tag.
            InvalidStateError: the run is deleted.
        """
        ...

    async def delete_run(self, run_id: UUID) -> None:
        """Delete a run softly, by itself: restoring its experiment will not bring it back. A repeat changes nothing.

        Raises:
            NotFoundError: there is none of this id.
        """
        ...

    async def restore_run(self, run_id: UUID) -> None:
        """Restore a run. A repeat changes nothing.

        Raises:
            NotFoundError: there is none of this id.
            InvalidStateError: its experiment is deleted.
        """
        ...


class RewindStore(Protocol):
    """Hiding points of earlier attempts."""

    async def rewind(self, run_id: UUID, from_step: int) -> int:
        """Hide the points with step >= `from_step` that the run's present writers logged or will log.

        Returns the number of the rewind, from 1; 0 when the run has no writer, so that there is nothing to hide.
        Whatever reads points or latest points sees the change at once.
        """
        ...

    async def undo_rewind(self, run_id: UUID, rewind_number: int) -> int:
        """Take a rewind back, the latest one if the number is 0; returns its number.

        Raises:
            NotFoundError: there is none of this number, or none at all.
        """
        ...


class InputStore(Protocol):
    """Data sets that runs used."""

    async def log_inputs(self, run_id: UUID, inputs: Sequence[DatasetInput]) -> None:
        """Note data sets, at least one; tags of one that is noted already are added. A repeat changes nothing.

        Raises:
            NotFoundError: there is no such run.
            InvalidStateError: the run is deleted.
        """
        ...

    async def summaries(self, experiment_ids: Sequence[int], count_max: int) -> Sequence[DatasetSummary]:
        """Return which data sets the active runs of experiments used, by experiment, name and digest, up to so many."""
        ...

    async def inputs_of_runs(
        self, run_ids: Sequence[UUID], bytes_max: int
    ) -> tuple[Mapping[UUID, Sequence[DatasetInput]], int]:
        """Return the data sets of runs that have any, with one statement, and how many of the runs have theirs whole.

        These are the first so many of `run_ids`: when what there is to say of data sets has more than `bytes_max`
        bytes, it comes without source, schema and profile from there on.
        """
        ...


class SearchStore(Protocol):
    """Finding experiments and runs, and changing what was found."""

    async def search_runs(self, search: RunSearch) -> Sequence[tuple[Run, RowPosition]]:
        """Return a page of runs in order, each with its position; one statement, whatever the page holds.

        Raises:
            BadPatternError: a regular expression that PostgreSQL does not take.
        """
        ...

    async def search_experiments(self, search: ExperimentSearch) -> Sequence[tuple[Experiment, RowPosition]]:
        """Return a page of experiments in order, each with its position. Raises as `search_runs`."""
        ...

    async def count_runs(
        self,
        experiment_ids: Sequence[int] | None,
        view: ViewType,
        filter_: Expression | None,
        hidden: Sequence[int] = (),
    ) -> int:
        """Return how many runs a search finds. Raises as `search_runs`.

        Here and below, experiments of None are all but the hidden ones.
        """
        ...

    async def delete_runs(
        self, experiment_ids: Sequence[int] | None, filter_: Expression, hidden: Sequence[int] = ()
    ) -> int:
        """Delete the active runs that a filter finds, of some or (None) all experiments, at once; returns how many."""
        ...

    async def restore_runs(
        self, experiment_ids: Sequence[int] | None, filter_: Expression, hidden: Sequence[int] = ()
    ) -> int:
        """Restore the deleted runs of active experiments that a filter finds, at once; returns how many."""
        ...

    async def tag_runs(
        self,
        experiment_ids: Sequence[int] | None,
        filter_: Expression,
        tags: Mapping[str, str],
        hidden: Sequence[int] = (),
    ) -> int:
        """Set tags of the active runs that a filter finds, at once; returns how many."""
        ...


class KeyStore(Protocol):
    """The params, metrics and tags that runs have."""

    async def keys(
        self,
        experiment_ids: Sequence[int] | None,
        view: ViewType,
        pattern: str,
        limit: int,
        runs_max: int,
        hidden: Sequence[int] = (),
    ) -> Keys:
        """Return at most `limit` keys of each kind of the `runs_max` runs that started last.

        `pattern` is a regular expression that ignores case, or empty.

        Raises:
            InvalidArgumentError: PostgreSQL does not take the pattern.
        """
        ...
