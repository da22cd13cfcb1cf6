"""Whether the writer of an open stream may still write: rights change while streams last."""

import asyncio
from collections.abc import Awaitable, Callable

from stepwell_server.errors import NotFoundError, PermissionDeniedError, StepwellError, UnavailableError
from stepwell_server.services.access.calling import RECHECK_S, current_call, is_somebody


async def until_refused(check: Callable[[], Awaitable[None]]) -> StepwellError:
    """Wait until `check` refuses who makes this call, or nobody knows any more who that is; return what was said.

    Where there are no accounts, that is never.
    """
    if not is_somebody():
        await asyncio.Event().wait()
    while True:
        await asyncio.sleep(RECHECK_S)
        try:
            await current_call().renew()
            await check()
        except UnavailableError:
            continue  # nobody can tell now
        except NotFoundError:
            # As for everybody who may not read the run; but whoever wrote to it knows that it is there.
            return PermissionDeniedError(
                "the right to write to this run was taken back; what was acknowledged is stored"
            )
        except StepwellError as refused:
            return refused
