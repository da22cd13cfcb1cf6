"""What the service of pages of runs asks of a store. Methods raise `UnavailableError` as those of tracking."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from stepwell_server.model.exploring import Kin, RunGroup, Values
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
    ) -> Values:
        """Return the values of a text field in the `runs_max` runs that started last, those of most runs first."""
        ...

    async def groups(
        self,
        experiment_ids: Sequence[int] | None,
        view: ViewType,
        filter_: Expression | None,
        by: Sequence[Field],
        metrics: Sequence[Field],
        limit: int,
    ) -> Sequence[RunGroup]:
        """Return the groups of most runs.

        Raises:
            BadPatternError: a regular expression that PostgreSQL does not take.
            InvalidArgumentError: the filter finds more than GROUPED_RUNS_MAX runs.
        """
        ...

    async def kin(self, run_ids: Sequence[UUID], view: ViewType) -> Sequence[Kin]:
        """Return where runs stand among those that were started inside each other, in the order of `run_ids`."""
        ...
