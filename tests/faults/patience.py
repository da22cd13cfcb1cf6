"""Waiting for something that has to happen."""

import time
from collections.abc import Callable

# Longer than the client's longest back-off, on a machine that is busy with other tests.
PATIENCE_S = 60.0
POLL_S = 0.02


def until(condition: Callable[[], object], what: str) -> None:
    """Return when the condition holds; fail when it does not within PATIENCE_S."""
    give_up = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < give_up, f"waited {PATIENCE_S:g} s in vain: {what}"
        time.sleep(POLL_S)
