"""Services as doors see them: every public method asks its rule first. A method without a rule is refused at the start.

A call that answers with a stream asks again, who calls and whether he may, every STREAM_RECHECK_S.
"""

import functools
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast

from stepwell_server.services.access.audit import Audit
from stepwell_server.services.access.calling import current_call
from stepwell_server.services.access.permissions import Permissions

# Who has lost his rights sees, or sends, no more after this, and what is believed for a while (see Fresh).
STREAM_RECHECK_S = 10.0

S = TypeVar("S")
Given = dict[str, Any]


class Rule(Protocol):
    """Says whether the caller may call a method with what it is given, which it may narrow."""

    async def __call__(self, permissions: Permissions, given: Given) -> None:
        """Raise what `Permissions` raises."""
        ...


@dataclass(frozen=True, slots=True)
class Guarded:
    """The rule of a method, and what is done behind it.

    `made`: the caller manages what was made; it sees what was given and what was returned. `noted`: the words of the
    audit, action and subject; None for what is not in the audit.
    """

    rule: Rule
    made: Callable[[Permissions, Given, Any], Awaitable[None]] | None = None
    noted: Callable[[Given, Any], tuple[str, str]] | None = None


@dataclass(frozen=True, slots=True)
class Guard:
    """What guards services."""

    permissions: Permissions
    audit: Audit

    def around(self, service: S, rules: Mapping[str, Guarded]) -> S:
        """Return the service behind its rules."""
        methods = public_methods(type(service))
        assert methods.keys() == rules.keys(), (
            f"{type(service).__name__}: rules and methods differ: {methods.keys() ^ rules.keys()}"
        )
        proxy = _Proxy()
        for name, function in methods.items():
            make = self._stream if inspect.isasyncgenfunction(function) else self._answer
            names = list(inspect.signature(function).parameters)[1:]
            setattr(proxy, name, make(getattr(service, name), names, rules[name]))
        return cast(S, proxy)

    def _answer(self, method: Any, names: list[str], guarded: Guarded) -> Any:
        permissions, rule, made, noted = self.permissions, guarded.rule, guarded.made, guarded.noted

        @functools.wraps(method)
        async def answer(*args: Any, **keywords: Any) -> Any:
            given = dict(zip(names, args, strict=False), **keywords)
            await rule(permissions, given)
            result = await method(**given)
            if made is not None:
                await made(permissions, given, result)
            if noted is not None:
                await self.audit.note(*noted(given, result))
            return result

        return answer

    def _stream(self, method: Any, names: list[str], guarded: Guarded) -> Any:
        @functools.wraps(method)
        async def stream(*args: Any, **keywords: Any) -> AsyncIterator[Any]:
            asked = dict(zip(names, args, strict=False), **keywords)
            given = dict(asked)
            await guarded.rule(self.permissions, given)
            looked = time.monotonic()
            async with aclosing(method(**given)) as messages:
                async for message in messages:
                    if time.monotonic() - looked > STREAM_RECHECK_S:
                        await current_call().renew()
                        await guarded.rule(self.permissions, dict(asked))
                        looked = time.monotonic()
                    yield message

        return stream


class _Proxy:
    """A service as doors see it; its methods are set by the guard."""


def public_methods(service: type) -> dict[str, Any]:
    """Return the methods that a door could call."""
    return {
        name: function
        for name, function in inspect.getmembers(service, inspect.isfunction)
        if not name.startswith("_")
    }
