"""Searches: pages as large as MLflow's, made of the service's."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

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
# The results, and the answer that is made of them.
ANSWER_COPIES = 2

T = TypeVar("T")
Page = tuple[Sequence[T], str]


class Searches:
    """Answers `runs/search`."""

    def __init__(self, search: SearchService) -> None:
        self._search = search

    async def runs(self, message: Message) -> Response:
        """Return a page of runs."""
        found, token = await gathered(
            message,
            lambda size, token: self._search.runs(_runs_wanted(message, size, token)),
            run_json,
            results_wanted(message),
        )
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


async def gathered(
    message: Message,
    fetch: Callable[[int, str], Awaitable[Page[T]]],
    to_json: Callable[[T], Mapping[str, Any]],
    wanted: int,
) -> tuple[Sequence[orjson.Fragment], str]:
    """Return as many results as are wanted, from pages of the service that may be smaller, and the next token."""
    found: list[orjson.Fragment] = []
    size, token = 0, message.text("page_token") or ""
    while True:
        page, token = await fetch(wanted - len(found), token)
        # As bytes they take a tenth of the memory, and are ready.
        texts = [orjson.dumps(to_json(it)) for it in page]
        found += map(orjson.Fragment, texts)
        size += sum(map(len, texts))
        await message.room.grow_to(ANSWER_COPIES * size)
        if not token or len(found) >= wanted or size > ANSWER_BYTES_MAX:
            return found, token
