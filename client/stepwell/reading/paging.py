"""Searches as the client asks them: pages of any size, put together from what the server answers at once."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from stepwell import values
from stepwell.entities import Experiment, PagedList, Run, ViewType
from stepwell.errors import invalid
from stepwell_api.v1 import runs_pb2, search_pb2

if TYPE_CHECKING:
    from stepwell.wire.calls import Calls

PAGE_SIZE_MAX = 50_000


class _Page(Protocol):
    page_size: int
    page_token: str


Request = TypeVar("Request", bound=_Page)
Found = TypeVar("Found")


def search_runs(
    calls: "Calls",
    experiment_ids: Sequence[Any] | None,
    filter_string: str,
    view_type: int,
    max_results: int,
    order_by: Sequence[str],
    page_token: str,
    params: Sequence[str] | None,
    metrics: Sequence[str] | None,
    tags: Sequence[str] | None,
) -> PagedList[Run]:
    """Return a page of runs; `experiment_ids`, params, metrics and tags of None mean all."""
    request = search_pb2.SearchRunsRequest(
        experiment_ids=map(values.to_experiment_id, experiment_ids or ()),
        all_experiments=experiment_ids is None,
        filter=filter_string,
        view_type=_view_type(view_type),
        order_by=order_by,
        page_token=page_token,
        params=_keys(params),
        metrics=_keys(metrics),
        tags=_keys(tags),
    )
    return page(request, max_results, calls.search_runs)


def search_experiments(
    calls: "Calls",
    filter_string: str,
    view_type: int,
    max_results: int,
    order_by: Sequence[str],
    page_token: str,
) -> PagedList[Experiment]:
    """Return a page of experiments."""
    request = search_pb2.SearchExperimentsRequest(
        filter=filter_string, view_type=_view_type(view_type), order_by=order_by, page_token=page_token
    )
    return page(request, max_results, calls.search_experiments)


def change(
    experiment_ids: Sequence[Any] | None, filter_string: str, **what: Any
) -> search_pb2.ChangeRunsRequest:
    """Return the request for a change of many runs; `experiment_ids` of None means all."""
    return search_pb2.ChangeRunsRequest(
        experiment_ids=map(values.to_experiment_id, experiment_ids or ()),
        all_experiments=experiment_ids is None,
        filter=filter_string,
        **what,
    )


def page(
    request: Request, max_results: object, ask: Callable[[Request], PagedList[Found]]
) -> PagedList[Found]:
    """Ask until the page is full or there is nothing more. Raises StepwellException for a size that no page has."""
    size = _checked_size(max_results)
    found: list[Found] = []
    while True:
        request.page_size = size - len(found)
        answer = ask(request)
        found.extend(answer)
        if answer.token is None or len(found) >= size:
            return PagedList(found, answer.token)
        request.page_token = answer.token


def _keys(wanted: Sequence[str] | None) -> search_pb2.Keys | None:
    return None if wanted is None else search_pb2.Keys(key=wanted)


def _checked_size(max_results: object) -> int:
    if not isinstance(max_results, int) or not 1 <= max_results <= PAGE_SIZE_MAX:
        raise invalid(f"max_results is a number from 1 to {PAGE_SIZE_MAX}, not {max_results!r}.")
    return max_results


def _view_type(view_type: int) -> runs_pb2.ViewType.ValueType:
    if view_type not in (ViewType.ACTIVE_ONLY, ViewType.DELETED_ONLY, ViewType.ALL):
        raise invalid(f"view_type is one of the numbers of ViewType, 1 to 3, not {view_type!r}.")
    return runs_pb2.ViewType.ValueType(view_type)
