"""The rules of what a page of runs asks beside the runs: values, groups, kin."""

from collections.abc import Sequence
from uuid import UUID

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.model.access import EVERYWHERE, Within
from stepwell_server.model.exploring import (
    CHANGES_MAX,
    GROUP_FIELDS_MAX,
    GROUP_METRICS_MAX,
    GROUPS_MAX,
    KIN_RUNS_MAX,
    SUMMARIZED_EXPERIMENTS_MAX,
    VALUES_DEFAULT,
    VALUES_MAX,
    Changes,
    ExperimentSummary,
    Kin,
    RunGroup,
    Values,
)
from stepwell_server.model.runs import KEY_RUNS_MAX, ViewType
from stepwell_server.search.expressions import Field, FieldKind, ValueType
from stepwell_server.search.parser import parse_field, parse_filter_aside
from stepwell_server.search.subjects import RUNS
from stepwell_server.services.search import check_experiments, pointing_at_patterns
from stepwell_server.store.ports.exploring import ExploringStore

CONTAINS_CHARS_MAX = 500


class ExploringService:
    """Raises what `ports.ExploringStore` raises, and InvalidArgumentError for what cannot be asked."""

    def __init__(self, store: ExploringStore) -> None:
        self._store = store

    async def values(
        self,
        experiment_ids: Sequence[int] | None,
        view: ViewType,
        field: str,
        contains: str,
        limit: int,
        within: Within = EVERYWHERE,
    ) -> Values:
        """Return values of a text field in the latest runs."""
        check_experiments(experiment_ids)
        if len(contains) > CONTAINS_CHARS_MAX or "\0" in contains:
            raise InvalidArgumentError(
                f"values are searched by at most {CONTAINS_CHARS_MAX} characters, none of them NUL"
            )
        (wanted,) = _texts([field])
        count = _limit(limit, VALUES_DEFAULT, VALUES_MAX)
        chosen, hidden = within.chosen(experiment_ids)
        return await self._store.values(chosen, view, wanted, contains, count, KEY_RUNS_MAX, hidden)

    async def groups(
        self,
        experiment_ids: Sequence[int] | None,
        view: ViewType,
        filter_: str,
        by: Sequence[str],
        metrics: Sequence[str],
        limit: int,
        within: Within = EVERYWHERE,
    ) -> tuple[Sequence[RunGroup], bool]:
        """Return groups of runs, those of most runs first, and whether these are all."""
        check_experiments(experiment_ids)
        if not 1 <= len(by) <= GROUP_FIELDS_MAX:
            raise InvalidArgumentError(f"group by 1 to {GROUP_FIELDS_MAX} fields, not by {len(by)}")
        if len(metrics) > GROUP_METRICS_MAX:
            raise InvalidArgumentError(
                f"{len(metrics)} metrics are asked for; groups tell mean and spread of at most {GROUP_METRICS_MAX}"
            )
        count = _limit(limit, GROUPS_MAX, GROUPS_MAX)
        chosen, hidden = within.chosen(experiment_ids)
        with pointing_at_patterns(filter_):
            wanted = await parse_filter_aside(filter_, RUNS)
            groups = await self._store.groups(
                chosen, view, wanted, _texts(by), _metrics(metrics), count + 1, hidden
            )
        return groups[:count], len(groups) <= count

    async def kin(
        self, run_ids: Sequence[UUID], view: ViewType, within: Within = EVERYWHERE
    ) -> Sequence[Kin]:
        """Return where runs stand among those that were started inside each other."""
        if len(run_ids) > KIN_RUNS_MAX:
            raise InvalidArgumentError(
                f"{len(run_ids)} runs are asked about; ask about {KIN_RUNS_MAX} at once"
            )
        return await self._store.kin(run_ids, view, within)

    async def changes(
        self, experiment_ids: Sequence[int] | None, since_ms: int, within: Within = EVERYWHERE
    ) -> Changes:
        """Return the runs that are new or changed since a time in milliseconds."""
        check_experiments(experiment_ids)
        if since_ms < 0:
            raise InvalidArgumentError(f"runs have not changed since {since_ms}; give milliseconds, or 0")
        chosen, hidden = within.chosen(experiment_ids)
        return await self._store.changes(chosen, since_ms, CHANGES_MAX, hidden)

    async def summaries(
        self, experiment_ids: Sequence[int], within: Within = EVERYWHERE
    ) -> Sequence[ExperimentSummary]:
        """Return how many runs experiments have."""
        if len(experiment_ids) > SUMMARIZED_EXPERIMENTS_MAX:
            raise InvalidArgumentError(
                f"{len(experiment_ids):,} experiments are asked about; ask about {SUMMARIZED_EXPERIMENTS_MAX:,} at once"
            )
        return await self._store.summaries([id_ for id_ in experiment_ids if id_ in within])


def _limit(given: int, usual: int, most: int) -> int:
    if not 0 <= given <= most:
        raise InvalidArgumentError(f"the limit is {given}; it has to be from 1 to {most:,}, or 0")
    return given or usual


def _texts(texts: Sequence[str]) -> list[Field]:
    fields = [parse_field(text, RUNS) for text in texts]
    for field in fields:
        if field.value_type is not ValueType.TEXT:
            raise InvalidArgumentError(f"{field} is a number; name a param, a tag, or another text")
    return fields


def _metrics(texts: Sequence[str]) -> list[Field]:
    fields = [parse_field(text, RUNS) for text in texts]
    for field in fields:
        if field.kind is not FieldKind.METRIC:
            raise InvalidArgumentError(f"{field} is no metric; mean and spread are of metrics")
    return fields
