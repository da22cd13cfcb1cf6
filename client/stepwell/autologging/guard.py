"""One outermost call logs; what it calls in turn does not."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_inside: ContextVar[bool] = ContextVar("stepwell_autologging", default=False)

# Tells whether this thread or task is within a call that is logged already, or that is not to be. Without a function of
# our own around it: parts of searches ask thousands of times.
is_inside = _inside.get


@contextmanager
def inside() -> Iterator[None]:
    """Let nothing log by itself in the block."""
    token = _inside.set(True)
    try:
        yield
    finally:
        _inside.reset(token)
