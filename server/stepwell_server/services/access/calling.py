"""Who makes the call that is being served. Each call runs in a context of its own, which its tasks inherit."""

import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol

from stepwell_server.errors import UnauthenticatedError
from stepwell_server.model.access import Caller

# A call that lasts looks again who makes it, and whether he may: who has lost his credential or his rights sees, or
# sends, no more after this, and what is believed for a while (see Fresh).
RECHECK_S = 10.0
HOW_TO_SIGN_IN = (
    "sign in with `stepwell login`, or set STEPWELL_TRACKING_TOKEN (MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME "
    "and _PASSWORD, for MLflow's clients)"
)


@dataclass(frozen=True, slots=True)
class Presented:
    """What a caller shows: the header Authorization ("" for none), others by their name in lower case.

    `origin` is the address that the call comes from.
    """

    authorization: str
    header: Callable[[str], str | None]
    origin: str


class Authenticating(Protocol):
    """Finds out who calls."""

    async def caller(self, presented: Presented) -> Caller:
        """Return who it is. Raises UnauthenticatedError."""
        ...


@dataclass(slots=True)
class Call:
    """One call: who makes it, as far as was known when that was last looked at."""

    caller: Caller
    presented: Presented
    authenticator: Authenticating
    looked_s: float = field(default_factory=time.monotonic)

    async def renew(self) -> None:
        """Look again who calls, for calls that last. Raises UnauthenticatedError when that is good no more."""
        self.caller = await self.authenticator.caller(self.presented)
        self.looked_s = time.monotonic()

    async def renew_in_time(self) -> None:
        """The same, if that was not looked at in the last RECHECK_S."""
        if time.monotonic() - self.looked_s > RECHECK_S:
            await self.renew()


_CALL: ContextVar[Call | None] = ContextVar("stepwell_call", default=None)


async def admit(authenticator: Authenticating, presented: Presented) -> None:
    """Find out who calls, for the rest of this context. Raises UnauthenticatedError."""
    _CALL.set(Call(await authenticator.caller(presented), presented, authenticator))


def nobody_calls() -> None:
    """Forget who made the call before, in this context."""
    _CALL.set(None)


def is_somebody() -> bool:
    """Tell whether it is known who makes this call; it is not where there are no accounts."""
    return _CALL.get() is not None


def current_call() -> Call:
    """Return the call that is being served. Raises UnauthenticatedError where nobody found out who makes it."""
    call = _CALL.get()
    if call is None:
        raise UnauthenticatedError(f"this server wants to know who calls; {HOW_TO_SIGN_IN}")
    return call


def caller() -> Caller:
    """Return who makes the call. Raises as `current_call`."""
    return current_call().caller
