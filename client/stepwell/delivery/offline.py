"""Going on without a server: who decides it, and how it is said, once."""

import time
from collections.abc import Callable
from functools import cache
from logging import getLogger
from typing import TypeVar

from stepwell import settings
from stepwell.delivery import away
from stepwell.errors import StepwellException

T = TypeVar("T")

# How long start_run looks for a server before it goes on without. A server that has just been started needs 1 or 2 s.
REACH_TIMEOUT_S = 3.0
# So long a server that did not answer is not looked for again: a sweep of short runs must not wait for each.
UNREACHABLE_MEMORY_S = 30.0

# What a call that fails with one of these says of the server: it is away.
AWAY_CODES = ("TEMPORARILY_UNAVAILABLE", "DEADLINE_EXCEEDED")

_log = getLogger("stepwell")
_unreachable_since: dict[str, float] = {}


def unless_offline(uri: str, ask: Callable[[], T]) -> T | None:
    """Return what the server answers; None where the run has to begin without it.

    Raises:
        StepwellException: what the server answered; TEMPORARILY_UNAVAILABLE when it cannot be reached and
            STEPWELL_ON_UNREACHABLE=raise.
    """
    if settings.is_offline():
        _say_offline()
        return None
    if not _can_be_reached(uri):
        return None
    try:
        return ask()
    except StepwellException as failure:
        # It was there a moment ago: the connection broke, or the server stops.
        if settings.raises_when_unreachable() or failure.error_code not in AWAY_CODES:
            raise
        away.say_away(settings.parse_uri(uri).name, failure.message)
        return None


def now_or_later(uri: str, now: Callable[[], T], later: Callable[[], T]) -> T:
    """Make a call, or where the server is away what does it later.

    Raises:
        StepwellException: what the server answered; TEMPORARILY_UNAVAILABLE when it cannot be reached and
            STEPWELL_ON_UNREACHABLE=raise.
    """
    answer = unless_offline(uri, lambda: (now(),))
    return answer[0] if answer is not None else later()


def is_away(uri: str) -> bool:
    """Tell whether to go on without the server: in offline mode, or when it cannot be reached.

    Raises:
        StepwellException: TEMPORARILY_UNAVAILABLE when it cannot be reached and STEPWELL_ON_UNREACHABLE=raise.
    """
    return settings.is_offline() or not _can_be_reached(uri)


def brief_reach_timeout_s() -> float:
    """How long to look for a server where there is a way to go on without it."""
    return min(REACH_TIMEOUT_S, settings.reach_timeout_s())


def unreachable_since(uri: str) -> float | None:
    """Return since when, on the monotonic clock, the server has not answered; None if it did, a moment ago."""
    since = _unreachable_since.get(uri)
    return since if since is not None and time.monotonic() - since < UNREACHABLE_MEMORY_S else None


def _can_be_reached(uri: str) -> bool:
    from stepwell.wire.connection import connect

    needed = settings.raises_when_unreachable()
    if unreachable_since(uri) is not None and not needed:
        return False
    begun = time.monotonic()
    try:
        connect(uri).check(settings.reach_timeout_s() if needed else brief_reach_timeout_s())
    except StepwellException as failure:
        if needed or failure.error_code != "TEMPORARILY_UNAVAILABLE":
            raise
        _unreachable_since[uri] = begun
        away.say_away(settings.parse_uri(uri).name, failure.message)
        return False
    _unreachable_since.pop(uri, None)
    return True


@cache
def _say_offline() -> None:
    _log.warning("Offline mode: what is logged stays in the spool. Deliver it with 'stepwell sync'.")
