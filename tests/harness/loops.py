"""Nothing of the server's keeps the loop that it shares with a test busy for long."""

from collections.abc import Iterator
from contextlib import contextmanager

from stepwell_server.process.watchdog import Blocked, watched_loop

# Of work, not of time that passes: five times LOOP_WORK_MAX_S, because processors that are shared work slowly.
WORK_MAX_S = 0.1


@contextmanager
def loop_stays_free() -> Iterator[None]:
    """Fail at the end if a callback that was in the server's code worked longer than WORK_MAX_S."""
    found: list[Blocked] = []
    with watched_loop(found.append, WORK_MAX_S):
        yield
    of_server = [blocked for blocked in found if any("/stepwell_server/" in line for line in blocked.where)]
    assert not of_server, f"the event loop was blocked: {of_server}"
