"""What each account may do at most: calls, points and searches. Around the services that doors see."""

import inspect
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, TypeVar, cast

from stepwell_server.model.access import Caller
from stepwell_server.process.rates import Rates
from stepwell_server.services.access.calling import Authenticating, Presented, caller, is_somebody
from stepwell_server.services.together import Services

S = TypeVar("S")

# What takes the time of the database, by the names of the fields of `Services`.
SEARCHES: Mapping[str, Sequence[str]] = {
    "search": ("runs", "experiments", "count", "tag_runs", "delete_runs", "restore_runs"),
    "keys": ("keys",),
    "exploring": ("values", "groups", "changes", "summaries"),
    "models": ("search",),
    "registered_models": ("search",),
    "model_versions": ("search",),
    "group_lines": ("lines",),
}


def of_caller(address: str) -> str:
    """Return for whom something is counted: for the account that calls, or, where that is not known, for an address."""
    return f"account {caller().name}" if is_somebody() else address


class Counting:
    """Finds out who calls, as another one does, and counts the calls."""

    def __init__(self, authenticator: Authenticating, rates: Rates) -> None:
        self._authenticator = authenticator
        self._rates = rates

    async def caller(self, presented: Presented) -> Caller:
        """Return who it is. Raises UnauthenticatedError, and ExhaustedError for one call too many."""
        renews = is_somebody()
        found = await self._authenticator.caller(presented)
        if not renews:
            self._rates.call(f"account {found.name}")
        return found


def limited(services: Services, rates: Rates) -> Services:
    """Return services whose callers keep to what they may do."""
    timed = {
        name: _with(
            getattr(services, name), {it: _timed(getattr(services, name), it, rates) for it in methods}
        )
        for name, methods in SEARCHES.items()
    }
    submit, log = services.ingest.submit, services.calls.log

    async def submit_in_turn(batch: Any) -> Any:
        await rates.points(of_caller(""), len(batch.points))
        return await submit(batch)

    async def log_in_turn(run_id: Any, logged: Any) -> Any:
        await rates.points(of_caller(""), len(logged.points))
        return await log(run_id, logged)

    return replace(
        services,
        **timed,
        ingest=_with(services.ingest, {"submit": submit_in_turn}),
        calls=_with(services.calls, {"log": log_in_turn}),
    )


def _timed(service: Any, method: str, rates: Rates) -> Callable[..., Any]:
    search = getattr(service, method)

    async def streamed(*args: Any, **keywords: Any) -> AsyncIterator[Any]:
        with rates.searching(of_caller("")):
            async with aclosing(search(*args, **keywords)) as found:
                async for it in found:
                    yield it

    async def timed(*args: Any, **keywords: Any) -> Any:
        with rates.searching(of_caller("")):
            return await search(*args, **keywords)

    return streamed if inspect.isasyncgenfunction(search) else timed


def _with(service: S, methods: Mapping[str, Any]) -> S:
    return cast(S, _Limited(service, methods))


class _Limited:
    """A service, some of whose methods count what is done."""

    def __init__(self, service: Any, methods: Mapping[str, Any]) -> None:
        self._service = service
        vars(self).update(methods)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._service, name)
