"""Services as doors see them: every public method asks its rule first. A method without a rule is refused at the start.

A call that lasts asks again, who calls and whether he may, every RECHECK_S: one that is answered with a stream, one
that brings a stream, and one that does many things.
"""

import functools
import inspect
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast

from stepwell_server.services.access.audit import Audit
from stepwell_server.services.access.calling import RECHECK_S, current_call
from stepwell_server.services.access.permissions import Permissions

S = TypeVar("S")
T = TypeVar("T")
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
            await self._check(rule, given)
            arriving = self._arriving(rule, given)
            try:
                result = await method(**given)
            finally:
                for messages in arriving:
                    await messages.aclose()
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
            await self._check(guarded.rule, given)
            async for message in self._checked(method(**given), guarded.rule, asked):
                yield message

        return stream

    async def _check(self, rule: Rule, given: Given) -> None:
        await current_call().renew_in_time()
        await rule(self.permissions, given)

    def _arriving(self, rule: Rule, given: Given) -> list[AsyncGenerator[Any]]:
        """Put what checks in the place of streams that a call brings, and return it."""
        checked = {
            name: self._checked(value, rule, dict(given))
            for name, value in given.items()
            if isinstance(value, AsyncIterator)
        }
        given.update(checked)
        return list(checked.values())

    async def _checked(self, messages: AsyncIterator[T], rule: Rule, asked: Given) -> AsyncGenerator[T]:
        """Yield messages, as long as the caller may make the call."""
        looked = time.monotonic()
        async with aclosing(messages) as coming:  # type: ignore[type-var]  # they are generators
            async for message in coming:
                if time.monotonic() - looked > RECHECK_S:
                    await self._check(rule, dict(asked))
                    looked = time.monotonic()
                yield message


class _Proxy:
    """A service as doors see it; its methods are set by the guard."""


def public_methods(service: type) -> dict[str, Any]:
    """Return the methods that a door could call."""
    return {
        name: function
        for name, function in inspect.getmembers(service, inspect.isfunction)
        if not name.startswith("_")
    }
