"""The rules of searches."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from stepwell_server.errors import BadPatternError, InvalidArgumentError
from stepwell_server.model.access import EVERYWHERE, Within
from stepwell_server.model.runs import NO_MODELS, RUN_NAME_TAG, Experiment, Run, ViewType
from stepwell_server.search.expressions import Expression
from stepwell_server.search.messages import problem
from stepwell_server.search.parser import parse_filter_aside, parse_order, prepare_grammar
from stepwell_server.search.queries import ExperimentSearch, Projection, RowPosition, RunSearch
from stepwell_server.search.subjects import EXPERIMENTS, RUNS
from stepwell_server.services import validation
from stepwell_server.services.paging.searches import make_search_token, read_search_token, search_digest
from stepwell_server.services.sizes import (
    ANSWER_BYTES_MAX,
    ANSWER_INPUT_BYTES_MAX,
    experiment_bytes,
    fitting_experiment,
    fitting_run,
    rows_that_fit,
    run_bytes,
)
from stepwell_server.store.ports.models import LoggedModelStore
from stepwell_server.store.ports.tracking import InputStore, SearchStore

PAGE_SIZE_DEFAULT = 1_000
PAGE_SIZE_MAX = 50_000
# What one answer holds of a larger page; the caller goes on with the token.
ANSWER_ROWS_MAX = 1_000
# Experiments of one search, and keys of each kind in a projection.
EXPERIMENT_IDS_MAX = 10_000
PROJECTED_KEYS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class RunsWanted:
    """A search of runs as the caller gave it. `experiment_ids` of None means all experiments."""

    experiment_ids: Sequence[int] | None
    filter: str
    view: ViewType
    order_by: Sequence[str]
    page_size: int
    page_token: str
    projection: Projection
    roots_only: bool = False


class SearchService:
    """Finds and changes. Raises what `ports.SearchStore` raises, and InvalidArgumentError."""

    def __init__(self, store: SearchStore, inputs: InputStore, models: LoggedModelStore) -> None:
        self._store = store
        self._inputs = inputs
        self._models = models
        prepare_grammar()

    async def runs(self, wanted: RunsWanted, within: Within = EVERYWHERE) -> tuple[Sequence[Run], str]:
        """Return a page of runs with their data sets, and the token of the next page, empty after the last."""
        size = _rows(wanted.page_size)
        check_experiments(wanted.experiment_ids)
        _check_projection(wanted.projection)
        order = parse_order(wanted.order_by, RUNS)
        experiment_ids = None if wanted.experiment_ids is None else sorted(set(wanted.experiment_ids))
        asked = (experiment_ids, wanted.filter, wanted.view, list(wanted.order_by), wanted.roots_only)
        digest = search_digest("runs", *asked)
        chosen, hidden = within.chosen(experiment_ids)
        search = RunSearch(
            chosen,
            wanted.view,
            await parse_filter_aside(wanted.filter, RUNS),
            order,
            size + 1,  # one more than asked for tells whether there is another page
            read_search_token(digest, wanted.page_token, order),
            wanted.projection,
            wanted.roots_only,
            hidden,
        )
        with pointing_at_patterns(wanted.filter):
            found = await self._store.search_runs(search)
        sizes = [run_bytes(run) for run, _ in found[:size]]
        runs = [
            run if its_bytes <= ANSWER_BYTES_MAX else fitting_run(run)
            for (run, _), its_bytes in zip(
                found, sizes[: rows_that_fit(sizes, ANSWER_BYTES_MAX)], strict=False
            )
        ]
        page = await self._with_models(await self._with_inputs(runs))
        return page, _next_page_token(found, len(page), digest)

    async def _with_inputs(self, runs: Sequence[Run]) -> Sequence[Run]:
        """Return runs with their data sets: the first ones, if all these are too much for one answer."""
        ids = [run.info.run_id for run in runs if run.has_inputs]
        if not ids:
            return runs
        inputs, whole = await self._inputs.inputs_of_runs(ids, ANSWER_INPUT_BYTES_MAX)
        # At least one, or nobody would get past a run with too many data sets.
        beyond = ids[max(1, whole) :]
        whole_runs = itertools.takewhile(lambda run: run.info.run_id not in beyond[:1], runs)
        return [replace(run, inputs=inputs.get(run.info.run_id, ())) for run in whole_runs]

    async def _with_models(self, runs: Sequence[Run]) -> Sequence[Run]:
        """Return runs with the models that they made and used."""
        ids = [run.info.run_id for run in runs if run.has_models]
        if not ids:
            return runs
        models = await self._models.models_of_runs(ids)
        return [replace(run, models=models.get(run.info.run_id, NO_MODELS)) for run in runs]

    async def experiments(
        self,
        filter_: str,
        view: ViewType,
        order_by: Sequence[str],
        page_size: int,
        page_token: str,
        within: Within = EVERYWHERE,
    ) -> tuple[Sequence[Experiment], str]:
        """Return a page of experiments and the token of the next one, empty after the last."""
        size = _rows(page_size)
        order = parse_order(order_by, EXPERIMENTS)
        digest = search_digest("experiments", filter_, view, list(order_by))
        after = read_search_token(digest, page_token, order)
        search = ExperimentSearch(
            view, await parse_filter_aside(filter_, EXPERIMENTS), order, size + 1, after, within
        )
        with pointing_at_patterns(filter_):
            found = await self._store.search_experiments(search)
        count = rows_that_fit([experiment_bytes(it) for it, _ in found[:size]], ANSWER_BYTES_MAX)
        page = [fitting_experiment(experiment) for experiment, _ in found[:count]]
        return page, _next_page_token(found, count, digest)

    async def count(
        self,
        experiment_ids: Sequence[int] | None,
        filter_: str,
        view: ViewType,
        within: Within = EVERYWHERE,
    ) -> int:
        """Return how many runs a search finds."""
        check_experiments(experiment_ids)
        chosen, hidden = within.chosen(experiment_ids)
        with pointing_at_patterns(filter_):
            parsed = await parse_filter_aside(filter_, RUNS)
            return await self._store.count_runs(chosen, view, parsed, hidden)

    async def delete_runs(
        self, experiment_ids: Sequence[int] | None, filter_: str, within: Within = EVERYWHERE
    ) -> int:
        """Delete the active runs that a filter finds; returns how many."""
        check_experiments(experiment_ids)
        chosen, hidden = within.chosen(experiment_ids)
        with pointing_at_patterns(filter_):
            return await self._store.delete_runs(chosen, await _some(filter_), hidden)

    async def restore_runs(
        self, experiment_ids: Sequence[int] | None, filter_: str, within: Within = EVERYWHERE
    ) -> int:
        """Restore the deleted runs of active experiments that a filter finds; returns how many."""
        check_experiments(experiment_ids)
        chosen, hidden = within.chosen(experiment_ids)
        with pointing_at_patterns(filter_):
            return await self._store.restore_runs(chosen, await _some(filter_), hidden)

    async def tag_runs(
        self,
        experiment_ids: Sequence[int] | None,
        filter_: str,
        tags: Mapping[str, str],
        within: Within = EVERYWHERE,
    ) -> int:
        """Set tags of the active runs that a filter finds; returns how many."""
        check_experiments(experiment_ids)
        chosen, hidden = within.chosen(experiment_ids)
        for key, value in tags.items():
            validation.check_run_tag(key, value)
        if RUN_NAME_TAG in tags:
            raise InvalidArgumentError(f"runs are renamed one by one, so {RUN_NAME_TAG} cannot be set here")
        with pointing_at_patterns(filter_):
            return await self._store.tag_runs(chosen, await _some(filter_), tags, hidden) if tags else 0


def check_experiments(experiment_ids: Sequence[int] | None) -> None:
    """Check how many experiments are named. Raises InvalidArgumentError."""
    if experiment_ids is not None and len(experiment_ids) > EXPERIMENT_IDS_MAX:
        raise InvalidArgumentError(
            f"{len(experiment_ids):,} experiments are named; name at most {EXPERIMENT_IDS_MAX:,}, or ask for all"
        )


def _check_projection(projection: Projection) -> None:
    for kind, keys in (
        ("params", projection.params),
        ("metrics", projection.metrics),
        ("tags", projection.tags),
    ):
        if keys is not None and len(keys) > PROJECTED_KEYS_MAX:
            raise InvalidArgumentError(
                f"{len(keys):,} {kind} are wanted of each run; name at most {PROJECTED_KEYS_MAX:,}, or leave that out"
            )


@contextmanager
def pointing_at_patterns(filter_: str) -> Iterator[None]:
    """Point at a pattern that only the store can tell to be wrong, as the parser points at all else."""
    try:
        yield
    except BadPatternError as error:
        raise problem(filter_, error.place, str(error)) from None


async def _some(filter_: str) -> Expression:
    parsed = await parse_filter_aside(filter_, RUNS)
    if parsed is None:
        raise InvalidArgumentError(
            "say which runs to change; for all of them, the filter is: run_id IS NOT NULL"
        )
    return parsed


def _rows(page_size: int) -> int:
    if not 0 <= page_size <= PAGE_SIZE_MAX:
        raise InvalidArgumentError(
            f"the page size is {page_size}; it has to be from 1 to {PAGE_SIZE_MAX:,}, or 0"
        )
    return min(page_size or PAGE_SIZE_DEFAULT, ANSWER_ROWS_MAX)


def _next_page_token(found: Sequence[tuple[object, RowPosition]], count: int, digest: str) -> str:
    return make_search_token(digest, found[count - 1][1]) if len(found) > count else ""
