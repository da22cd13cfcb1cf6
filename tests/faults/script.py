"""What the training program of the fault tests logs: a sequence of calls that only depends on seed and rank.

So whoever knows how many calls returned knows every point, param and tag that was promised to be safe.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from random import Random

# A point as it is compared: key, step, value, time in ms. NaN equals itself, -0.0 is not 0.0; the time is None where it
# came from the client's clock: nobody knows what that said.
Point = tuple[str, int, str, int | None]

FIRST_TIME_MS = 1_700_000_000_000

KEYS = ("loss", "accuracy", "lr/group 0", "Güte: ünïcode")
WIDE_KEYS = tuple(f"layer {number}/gradient" for number in range(20))
# Written again and again: the last value is the one that counts.
PROGRESS_TAG = "progress"


@dataclass(frozen=True, slots=True)
class LogCall:
    """One call: metrics at a step and a time, or a param, or tags."""

    step: int = 0
    time_ms: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


def log_call(seed: int, rank: int, number: int) -> LogCall:
    """Return the call of this number, from 0: mostly one metric, sometimes twenty, a param or tags."""
    random = Random(f"{seed}/{rank}/{number}")
    kind = random.random()
    name = f"{rank}/{number}"
    if kind < 0.02:
        return LogCall(params={f"param {name}": random.randbytes(random.randint(0, 300)).hex()})
    if kind < 0.04:
        return LogCall(tags={f"tag {name}": "ä" * random.randint(0, 500), f"{PROGRESS_TAG} {rank}": name})
    keys = WIDE_KEYS if kind < 0.06 else (random.choice(KEYS),)
    return LogCall(_step(random, number), _time_ms(random, number), {key: _value(random) for key in keys})


def _step(random: Random, number: int) -> int:
    return number if random.random() < 0.95 else random.choice((-number, 0, 2**63 - 1, -(2**63)))


def _time_ms(random: Random, number: int) -> int:
    if random.random() < 0.95:
        return FIRST_TIME_MS + 7 * number
    return random.choice((1, FIRST_TIME_MS - 3_600_000, FIRST_TIME_MS + 86_400_000, 2**53))


def _value(random: Random) -> float:
    kind = random.random()
    if kind < 0.02:
        return random.choice((math.nan, math.inf, -math.inf, -0.0, 5e-324, 1.7e308))
    return float(random.randint(0, 1000)) / 8 if kind < 0.5 else random.random()


@dataclass(slots=True)
class Ledger:
    """What was logged or stored: points with how often, params, tags."""

    points: Counter[Point] = field(default_factory=Counter)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def add(self, calls: Iterable[LogCall], *, own_times: bool = True) -> "Ledger":
        """Book calls, in order; `own_times` says that the client was told the times."""
        for call in calls:
            time_ms = call.time_ms if own_times else None
            self.points.update((key, call.step, value.hex(), time_ms) for key, value in call.metrics.items())
            self.params.update(call.params)
            self.tags.update(call.tags)
        return self

    @property
    def size(self) -> int:
        """Points, params and tags together."""
        return self.points.total() + len(self.params) + len(self.tags)


def log_calls(seed: int, rank: int, first: int, end: int) -> Iterator[LogCall]:
    """Return the calls [first, end)."""
    return (log_call(seed, rank, number) for number in range(first, end))
