"""What the C library keeps of memory that is free."""

import ctypes

ARENAS_MAX = 1
_M_ARENA_MAX = -8  # in malloc.h of glibc


def bound_free_memory() -> None:
    """Let all threads of this process share one arena of malloc; for before they are started.

    glibc gives each of gRPC's threads an arena of its own, with megabytes in it that were free after a large message:
    30 MB together while artifacts travel. Other C libraries have no arenas; there nothing happens.
    """
    try:
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, ARENAS_MAX)
    except (AttributeError, OSError):
        return
