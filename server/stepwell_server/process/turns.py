"""Long work on the event loop, in turns with everybody else's."""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")

# What is done at a stretch; a commit that comes meanwhile waits no longer.
TURN_S = 0.005


async def mapped(function: Callable[[S], T], items: Iterable[S]) -> list[T]:
    """Return what a function makes of each item, and let others work every TURN_S."""
    results: list[T] = []
    began_s = time.perf_counter()
    for item in items:
        results.append(function(item))
        if time.perf_counter() - began_s > TURN_S:
            await asyncio.sleep(0)
            began_s = time.perf_counter()
    return results
