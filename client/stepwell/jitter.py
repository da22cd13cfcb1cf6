"""Chance for pauses, from a generator of our own: a script that has seeded `random` gets what it would without us."""

import random

_chance = random.SystemRandom()


def between(shortest_s: float, longest_s: float) -> float:
    """Return a pause from a range, in seconds, so that many clients do not come back at one moment."""
    return _chance.uniform(shortest_s, longest_s)
