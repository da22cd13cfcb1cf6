"""Searches: pages as large as MLflow's, made of the service's."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import orjson
from starlette.responses import Response

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.search.queries import Projection
from stepwell_server.services.search import PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, RunsWanted, SearchService
from stepwell_server.web.mlflow.answers import answer
from stepwell_server.web.mlflow.entities import VIEWS, parse_experiment_id, run_json
from stepwell_server.web.mlflow.requests import Message

# Of one answer, about; a page that would be larger ends early, and the token says how to go on.
ANSWER_BYTES_MAX = 64 * 1024 * 1024

T = TypeVar("T")
Page = tuple[Sequence[T], str]


class Searches:
    """Answers `runs/search`."""

    def __init__(self, search: SearchService) -> None:
        self._search = search

    async def runs(self, message: Message) -> Response:
        """Return a page of runs."""
        wanted = results_wanted(message)
        token = message.text("page_token") or ""
        found: list[orjson.Fragment] = []
        size = 0
        while True:
            runs, token = await self._search.runs(_runs_wanted(message, wanted - len(found), token))
            # As bytes they take a tenth of the memory, and are ready.
            texts = [orjson.dumps(run_json(run)) for run in runs]
            found += map(orjson.Fragment, texts)
            size += sum(map(len, texts))
            if not token or len(found) >= wanted or size > ANSWER_BYTES_MAX:
                return answer({"runs": found, "next_page_token": token})


def _runs_wanted(message: Message, size: int, token: str) -> RunsWanted:
    return RunsWanted(
        experiment_ids=[parse_experiment_id(text) for text in message.texts("experiment_ids")],
        filter=message.text("filter") or "",
        view=message.choice("run_view_type", VIEWS) or VIEWS["ACTIVE_ONLY"],
        order_by=message.texts("order_by"),
        page_size=size,
        page_token=token,
        projection=Projection(),
    )


def results_wanted(message: Message, default: int = PAGE_SIZE_DEFAULT, maximum: int = PAGE_SIZE_MAX) -> int:
    """Return how many results a request wants. Raises InvalidArgumentError when that is too few or too many."""
    wanted = message.integer("max_results")
    if wanted is None:
        return default
    if not 1 <= wanted <= maximum:
        raise InvalidArgumentError(
            f"Invalid value {wanted} for parameter 'max_results' supplied: it has to be from 1 to {maximum}"
        )
    return wanted


async def page_of(fetch: Callable[[int, str], Awaitable[Page[T]]], wanted: int, token: str) -> Page[T]:
    """Return as many results as are wanted, from pages of the service that may be smaller."""
    found: list[T] = []
    while True:
        page, token = await fetch(wanted - len(found), token)
        found += page
        if not token or len(found) >= wanted:
            return found, token
