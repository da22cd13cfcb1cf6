"""Buckets of equal width over whole numbers or over finite doubles."""

import numpy as np

from stepwell_server.model.columns import Float64s, Int64s


def bucket_borders(lowest: int, highest: int, buckets: int) -> Int64s:
    """Where the buckets of [lowest, highest] begin."""
    span = highest - lowest + 1
    number = min(buckets, span)
    if span * number < 2**63:
        return lowest + np.arange(number, dtype=np.int64) * span // number
    return np.array([lowest + index * span // number for index in range(number)], np.int64)


def buckets_of(borders: Int64s, x: Int64s) -> Int64s:
    """The buckets that values of x, none below the first border, fall into."""
    found: Int64s = np.searchsorted(borders, x, side="right") - 1
    return found


def value_buckets(low: float, high: float, buckets: int, x: Float64s) -> Int64s:
    """The buckets of equal width between `low` and `high` that values of x between them fall into."""
    # Halves, because the distance of two doubles may be more than a double holds.
    width = high / 2 - low / 2
    if width == 0:
        return np.zeros(len(x), np.int64)
    places = ((x / 2 - low / 2) / width * buckets).astype(np.int64)
    return np.minimum(places, buckets - 1)
