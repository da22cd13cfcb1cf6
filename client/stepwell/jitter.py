"""Chance from a generator of our own: a script that has seeded `random` gets what it would without us."""

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

_chance = random.SystemRandom()


def between(shortest_s: float, longest_s: float) -> float:
    """Return a pause from a range, in seconds, so that many clients do not come back at one moment."""
    return _chance.uniform(shortest_s, longest_s)


def shuffled(items: Sequence[T]) -> list[T]:
    """Return these in an order by chance, so that many clients do not all go to the same one next."""
    return _chance.sample(items, len(items))
