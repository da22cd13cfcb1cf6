"""Requests to a cloud, tried again where that may help, and how its errors are told."""

import asyncio
import random
import re
import ssl
from collections.abc import Awaitable, Callable, Mapping

from stepwell_server.errors import UnavailableError
from stepwell_server.store.content.buckets.bucket import Part
from stepwell_server.store.content.buckets.connections import (
    Answer,
    AskingError,
    Connections,
    Take,
    Trust,
    code_in,
)

ATTEMPTS_MAX = 4
BACKOFF_FIRST_S = 0.2
SHOWN_CHARS_MAX = 300

_PASSING = frozenset({408, 429, 500, 502, 503, 504})
_SECRET = re.compile(r"((?:sig|X-Goog-Signature|X-Goog-Credential)=)[^&\s\"')]+", re.IGNORECASE)
# What obstore tells of an answer, without what is asked behind the path.
_ANSWERED = re.compile(
    r"Error performing (?P<what>[A-Z]+ [^\s?]+).*? status code: (?P<status>\d{3})", re.DOTALL
)


class Calls:
    """Requests to a cloud, tried again where that may help. Used as a context."""

    def __init__(self, cloud: str, trust: Trust = ssl.create_default_context) -> None:
        self._cloud = cloud
        self._connections = Connections(trust)

    async def __aenter__(self) -> "Calls":
        return self

    async def __aexit__(self, *error: object) -> None:
        self._connections.close()

    async def call(
        self,
        method: str,
        address: Callable[[], Awaitable[tuple[str, Mapping[str, str]]]],
        data: Part = b"",
        expected: frozenset[int] = frozenset(),
        take: Take | None = None,
    ) -> Answer:
        """Make a request; `address` gives its address and headers, anew for each attempt. `take`: see `Connections`.

        Raises:
            UnavailableError: the answer is neither a good one nor `expected`.
        """
        for attempt in range(1, ATTEMPTS_MAX + 1):
            url, headers = await address()
            try:
                answer = await self._connections.ask(method, url, headers, data, take)
                if answer.status < 300 or answer.status in expected:
                    return answer
                problem = f"it answered {answer.status} {answer.code}".rstrip()
                if answer.status not in _PASSING:
                    break
            except AskingError as error:
                problem = told(error)
            if attempt < ATTEMPTS_MAX:
                await asyncio.sleep(BACKOFF_FIRST_S * 2 ** (attempt - 1) * random.uniform(0.5, 1))  # noqa: S311
        raise UnavailableError(f"{self._cloud} cannot do it now: {problem}")


def told(error: Exception) -> str:
    """Return what an error says in one line, without what others could use."""
    text = str(error)
    answered = _ANSWERED.search(text)
    if answered:
        return f"{answered['what']} was answered with {answered['status']} {code_in(text)}".rstrip()
    line = _SECRET.sub(r"\1***", text.partition("\n")[0])
    shown = line if len(line) <= SHOWN_CHARS_MAX else f"{line[:SHOWN_CHARS_MAX]}…"
    return shown or type(error).__name__
