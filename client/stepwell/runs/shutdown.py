"""The end of the process: open runs end, and what waits is delivered, for a bounded time."""

import atexit
import os
import sys
import time
from logging import getLogger

from stepwell import beside, settings
from stepwell.delivery import logs
from stepwell.runs import active
from stepwell.spool import room

# What the end of the process waits at most for the server to hear that its logs are complete.
FAREWELL_S = 1.0

_log = getLogger("stepwell")


def at_exit() -> None:
    """End the open runs (FAILED after an uncaught exception), deliver, and tell what could not be delivered."""
    beside.finish()
    room.give_up_in()
    active.end_open_runs("FAILED" if active.crashed() else "FINISHED")
    background = sys.modules.get("stepwell.wire.background")
    if background is None:
        return
    if background.is_fork():
        # The parent delivers.
        for log in logs.open_logs():
            log.seal()
        return
    timeout_s = settings.exit_timeout_s()
    # Also those of runs that were logged to by id: who leaves in order is not taken for dead.
    logs.rest_all()
    begun = time.monotonic()
    receipt = logs.flush_all(timeout_s)
    logs.await_ends(FAREWELL_S)
    if receipt.waiting and not active.told_what_waits():
        places = {(log.folder.parent, log.uri) for log in logs.open_logs()}
        commands = sorted(f"stepwell sync {folder} --to {uri}" for folder, uri in places)
        _log.warning(
            "%d entries could not be delivered (%s; at most %g s by STEPWELL_EXIT_TIMEOUT_S). They are safe in the "
            "spool; the next process that starts here delivers them, or '%s'.",
            receipt.waiting,
            logs.why_waiting(time.monotonic() - begun),
            timeout_s,
            "; ".join(commands),
        )
    if not receipt.waiting and (background.has_forked() or "stepwell.delivery.catch_up" in sys.modules):
        from stepwell.delivery import catch_up

        catch_up.finish(timeout_s)
    logs.cancel_resumption()
    background.stop()
    logs.remove_delivered()


def _in_forked_child() -> None:
    active.forget_open_runs()
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        # Children that multiprocessing forks end without atexit. It clears its finalizers after this hook, and calls
        # those that were registered for "after fork" later.
        util.register_after_fork(active, lambda _: util.Finalize(None, at_exit, exitpriority=0))


atexit.register(at_exit)
os.register_at_fork(after_in_child=_in_forked_child)
