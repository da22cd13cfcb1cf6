"""What the operating system and the C library allow this process, or keep for it."""

import contextlib
import ctypes
import sys

ARENAS_MAX = 1
_M_ARENA_MAX = -8  # in malloc.h of glibc
# How long a thread may go on while the event loop waits for the interpreter. Python's own 5 ms are felt several times
# in each commit while a filter is parsed or a batch checked; those take as long with this.
SWITCH_S = 0.001


def allow_all_files() -> None:
    """Raise the limit of open files to what this user may have.

    Each client takes a file, and the usual limit of 1,024 is meant for programs that still use `select`.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS refuses "no limit"
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def favour_the_loop() -> None:
    """Let threads that work aside give way soon."""
    sys.setswitchinterval(SWITCH_S)


def bound_free_memory() -> None:
    """Let all threads of this process share one arena of malloc; for before they are started.

    glibc gives each of gRPC's threads an arena of its own, with megabytes in it that were free after a large message:
    30 MB together while artifacts travel. Other C libraries have no arenas; there nothing happens.
    """
    try:
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, ARENAS_MAX)
    except (AttributeError, OSError):
        return


def return_free_memory() -> None:
    """Give the operating system back what is free, also between what is not; takes some tens of milliseconds a GB."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError):
        return
