"""What the service of pages of runs asks of a store. Methods raise `UnavailableError` as those of tracking."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from stepwell_server.model.access import EVERYWHERE, Within
from stepwell_server.model.exploring import Changes, ExperimentSummary, Kin, RunGroup, Values, View
from stepwell_server.model.runs import ViewType
from stepwell_server.search.expressions import Expression, Field


class ExploringStore(Protocol):
    """Values, groups and kin of runs."""

    async def values(
        self,
        experiment_ids: Sequence[int] | None,
        view: ViewType,
        field: Field,
        contains: str,
        limit: int,
        runs_max: int,
        hidden: Sequence[int] = (),
    ) -> Values:
        """Return the values of a text field in the `runs_max` runs that started last, those of most runs first.

        Here and below, experiments of None are all but the hidden ones.
        """
        ...

    async def groups(
        self,
        experiment_ids: Sequence[int] | None,
        view: ViewType,
        filter_: Expression | None,
        by: Sequence[Field],
        metrics: Sequence[Field],
        limit: int,
        hidden: Sequence[int] = (),
    ) -> Sequence[RunGroup]:
        """Return the groups of most runs.

        Raises:
            BadPatternError: a regular expression that PostgreSQL does not take.
            InvalidArgumentError: the filter finds more than GROUPED_RUNS_MAX runs.
        """
        ...

    async def kin(
        self, run_ids: Sequence[UUID], view: ViewType, within: Within = EVERYWHERE
    ) -> Sequence[Kin]:
        """Return where runs stand among those that were started inside each other, in the order of `run_ids`."""
        ...

    async def changes(
        self,
        experiment_ids: Sequence[int] | None,
        since_ms: int,
        limit: int,
        hidden: Sequence[int] = (),
    ) -> Changes:
        """Return the runs that changed since a time; none, and what time it is, when that is 0."""
        ...

    async def summaries(self, experiment_ids: Sequence[int]) -> Sequence[ExperimentSummary]:
        """Return the numbers of experiments that exist, by id."""
        ...


class ViewStore(Protocol):
    """Named views."""

    async def save(
        self, experiment_ids: Sequence[int], name: str, address: str, *, replace: bool, views_max: int
    ) -> View:
        """Keep a view of experiments, whose ids are in order.

        Raises:
            AlreadyExistsError: there is one of the name, and it is not to be replaced.
            InvalidArgumentError: there are `views_max` others.
        """
        ...

    async def views(self, experiment_ids: Sequence[int]) -> Sequence[View]:
        """Return the views of exactly these experiments, whose ids are in order, by name."""
        ...

    async def delete(self, view_id: int) -> None:
        """Remove a view.

        Raises:
            NotFoundError: there is none.
        """
        ...
