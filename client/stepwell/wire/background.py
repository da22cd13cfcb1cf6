"""The one background thread of a process: an asyncio loop in which everything that speaks gRPC lives.

It starts with the first use, and ends before a fork, which also waits for threads of ours that import something;
afterwards the parent starts it again. gRPC does not survive a fork, so a forked child of a process that uses it has no
such thread: what it logs goes into spools of its own, which the parent (or the next process, or `stepwell sync`)
delivers.
"""

import asyncio
import contextlib
import gc
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from logging import getLogger
from types import FrameType
from typing import Any, TypeVar

from stepwell.errors import StepwellException

T = TypeVar("T")

# How long the end of the process waits for tasks that were cancelled.
STOP_TIMEOUT_S = 2.0
# A Ctrl-C that comes just before the wait for an answer begins is heard when a slice of it ends.
WAIT_SLICE_S = 1.0
# How often the loop looks whether something is due that was to begin later.
LOOK_S = 0.25
# The thread of gRPC that calls back into loops; it stays if somebody else in the process uses grpc.aio as well.
GRPC_POLLER = "_poll_wrapper"
QUIET_ATTEMPTS = 100
QUIET_PAUSE_S = 0.01
# How long a fork waits for threads of ours that import modules, in whose frames this is found.
IMPORT_TIMEOUT_S = 5.0
IMPORT_SYSTEM = "<frozen importlib._bootstrap>"

_log = getLogger("stepwell")
# Who has it says whether there is a loop; a fork has it until it is over.
_lock = threading.RLock()
_loop: asyncio.AbstractEventLoop | None = None
_thread: threading.Thread | None = None
_on_stop: list[Callable[[], Coroutine[Any, Any, None]]] = []
# What begins later, by when it is due, and whether the loop looks for it. At most one for each log of the process.
_later: deque[tuple[float, Callable[[], Coroutine[Any, Any, None]]]] = deque()
_is_looking = False
# Tasks of what began so: the loop itself forgets them.
_begun: set["asyncio.Task[None]"] = set()
_epoch = 0
_is_fork = False
_has_forked = False


def run(make: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine in the loop and return what it returns; it must bound its own time.

    It is made and run again when another thread forks the process meanwhile.
    """
    while True:
        begun = _epoch
        future = spawn(make())
        try:
            return _result(future)
        except CancelledError:
            if begun == _epoch:
                raise
        except BaseException:
            # Ctrl-C while waiting: nobody wants the answer any more.
            future.cancel()
            raise
        del future  # it keeps its task and call, and these gRPC's thread, which the fork waits for


def spawn(coroutine: Coroutine[Any, Any, T]) -> Future[T]:
    """Start a coroutine in the loop, from any other thread."""
    try:
        loop = _running_loop()
    except StepwellException:
        coroutine.close()
        raise
    return asyncio.run_coroutine_threadsafe(coroutine, loop)


def spawn_later(make: Callable[[], Coroutine[Any, Any, None]], delay_s: float) -> None:
    """Start a coroutine in the loop in so many seconds, the same for all, or up to LOOK_S later; not after a fork.

    Of many in a row the first alone wakes the loop, which takes the interpreter from who calls.
    """
    global _is_looking
    _later.append((time.monotonic() + delay_s, make))
    if not _is_looking:
        _is_looking = True
        spawn(_begin_what_is_due())


async def _begin_what_is_due() -> None:
    global _is_looking
    while _is_looking:
        await asyncio.sleep(LOOK_S)
        while _later and _later[0][0] <= time.monotonic():
            task = asyncio.create_task(_later.popleft()[1]())
            _begun.add(task)
            task.add_done_callback(_begun.discard)
        if not _later:
            _is_looking = False  # what comes now has another one look
            _is_looking = bool(_later)  # or came before


def _result(future: Future[T]) -> T:
    while True:
        try:
            return future.result(WAIT_SLICE_S)
        except TimeoutError:
            if future.done():  # it was the coroutine's own, or came in this moment
                return future.result()


def is_fork() -> bool:
    """Tell whether this is a forked child that cannot speak gRPC."""
    return _is_fork


def has_forked() -> bool:
    """Tell whether this process has forked children since it used the loop; they may have left something."""
    return _has_forked


def epoch() -> int:
    """Return how often the loop has ended; what was spawned in an earlier epoch is gone."""
    return _epoch


def call_soon(callback: Callable[[], object]) -> bool:
    """Call something in the loop, if there is one; tells whether there is."""
    loop = _loop
    if loop is not None:
        with contextlib.suppress(RuntimeError):  # it has ended meanwhile
            loop.call_soon_threadsafe(callback)
            return True
    return False


def on_stop(clean_up: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Register what has to be awaited before the loop ends."""
    _on_stop.append(clean_up)


def stop() -> None:
    """End the loop and its thread: cancels what still runs, then cleans up, in reverse order."""
    global _loop, _thread, _epoch, _is_looking
    with _lock:
        loop, thread = _loop, _thread
        _loop = _thread = None
    _later.clear()
    _is_looking = False
    if loop is None or thread is None:
        return
    _epoch += 1
    loop.call_soon_threadsafe(loop.stop)
    thread.join(2 * STOP_TIMEOUT_S)


def _running_loop() -> asyncio.AbstractEventLoop:
    global _loop, _thread
    if _is_fork:
        raise StepwellException(
            "This process was forked from one that speaks with the server, and gRPC does not survive that. What is "
            "logged here is kept, and the parent delivers it; for reading use the start method 'spawn'.",
            "TEMPORARILY_UNAVAILABLE",
        )
    with _lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            _thread = threading.Thread(target=_serve, args=(_loop,), name="stepwell", daemon=True)
            _thread.start()
        return _loop


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    loop.run_forever()
    loop.run_until_complete(_finish())
    loop.close()


async def _finish() -> None:
    await _cancel_tasks()
    while _on_stop:
        await _on_stop.pop()()
    await _until_grpc_is_quiet()


async def _cancel_tasks() -> None:
    """Cancel what still runs. A function of its own, because tasks keep their calls, and these gRPC's poller, alive."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=STOP_TIMEOUT_S)


async def _until_grpc_is_quiet() -> None:
    """Take gRPC's last completions, until its poller thread ends by itself: only then may the process fork."""
    for _ in range(QUIET_ATTEMPTS):
        await asyncio.sleep(QUIET_PAUSE_S)
        if not any(GRPC_POLLER in thread.name for thread in threading.enumerate()):
            return
        # Cancelled calls may keep each other, and the channel, alive in a cycle.
        await asyncio.sleep(QUIET_PAUSE_S)
        gc.collect()
    _log.debug("Waited for gRPC's own thread to end, in vain.")


def _pause_for_fork() -> None:
    _lock.acquire()  # no other thread begins a loop meanwhile
    stop()
    moment = time.monotonic() + IMPORT_TIMEOUT_S
    while _is_importing() and time.monotonic() < moment:
        time.sleep(QUIET_PAUSE_S / 10)


def _is_importing() -> bool:
    """Tell whether another thread of ours imports a module: the child would have half of it, and never the rest."""
    ours = {thread.ident for thread in threading.enumerate() if thread.name.startswith("stepwell")}
    ours.discard(threading.get_ident())
    return any(_imports(frame) for ident, frame in sys._current_frames().items() if ident in ours)


def _imports(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == IMPORT_SYSTEM:
            return True
        frame = frame.f_back
    return False


def _go_on_in_parent() -> None:
    global _has_forked
    _has_forked = True
    _lock.release()


def _start_over_in_child() -> None:
    global _lock, _is_fork, _has_forked
    _lock = threading.RLock()
    _is_fork = _is_fork or "grpc" in sys.modules
    _has_forked = False


os.register_at_fork(
    before=_pause_for_fork, after_in_parent=_go_on_in_parent, after_in_child=_start_over_in_child
)
