"""Calls with something and without it, in turns: what it adds, so that a busy machine cannot pretend or hide it.

Imports nothing but the standard library: it also runs in Pythons that have another tracker than ours.
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter, process_time, sleep, thread_time

Work = Callable[[], object]
# On a busy machine, who has just had much of the processor (to turn something on) is the next to wait for it.
PAUSE_S = 0.2


@dataclass(frozen=True)
class Taken:
    """Milliseconds of one call: by the clock, of processor in the thread that calls, and in the whole process."""

    clock: float
    thread: float
    process: float

    def without(self, other: "Taken") -> "Taken":
        """Return what is left of it without a part."""
        return Taken(self.clock - other.clock, self.thread - other.thread, self.process - other.process)

    def of_each(self, calls: int) -> "Taken":
        """Return what one of so many calls took of it."""
        return Taken(self.clock / calls, self.thread / calls, self.process / calls)


def so_far() -> Taken:
    """Return what was taken until now, since some moment that does not change."""
    return Taken(1e3 * perf_counter(), 1e3 * thread_time(), 1e3 * process_time())


def taken(call: Work) -> Taken:
    """Call, and say what that took."""
    before = so_far()
    call()
    return so_far().without(before)


def in_turns(
    call: Work, rounds: int, switch: Callable[[bool], object], settle: Work = lambda: None
) -> list[tuple[Taken, Taken]]:
    """Return pairs of calls without it and with it; every second pair begins with the latter.

    Args:
        call: what is measured.
        rounds: pairs.
        switch: turns it on or off, unmeasured.
        settle: waits until everything of the call is done, unmeasured.
    """
    pairs = []
    for number in range(rounds):
        found: dict[bool, Taken] = {}
        for is_on in (False, True) if number % 2 == 0 else (True, False):
            switch(is_on)
            sleep(PAUSE_S)
            found[is_on] = taken(call)
            settle()
        pairs.append((found[False], found[True]))
    return pairs


def added(pairs: Sequence[tuple[Taken, Taken]], per: int = 1) -> dict[str, object]:
    """Say what it adds to each of `per` parts of a call: medians of pairs, and quartiles of what the clock says."""
    clock = [(with_.clock - without.clock) / per for without, with_ in pairs]
    share = [100 * (with_.clock / without.clock - 1) for without, with_ in pairs]
    thread = [(with_.thread - without.thread) / per for without, with_ in pairs]
    thread_share = [100 * (with_.thread / without.thread - 1) for without, with_ in pairs]
    process = [(with_.process - without.process) / per for without, with_ in pairs]
    return {
        "pairs": len(pairs),
        "without_ms": _rounded(statistics.median(it.clock / per for it, _ in pairs)),
        "adds_ms": _rounded(statistics.median(clock)),
        "adds_ms_quartiles": _quartiles(clock),
        "adds_percent": _rounded(statistics.median(share)),
        "adds_percent_quartiles": _quartiles(share),
        "adds_processor_ms": _rounded(statistics.median(thread)),
        "adds_processor_ms_quartiles": _quartiles(thread),
        "adds_processor_percent": _rounded(statistics.median(thread_share)),
        "adds_processor_percent_quartiles": _quartiles(thread_share),
        "adds_processor_of_process_ms": _rounded(statistics.median(process)),
    }


def medians(found: Sequence[Taken]) -> dict[str, float] | None:
    """Return medians of what calls took, in milliseconds; None of none."""
    if not found:
        return None
    return {
        "clock_ms": _rounded(statistics.median(it.clock for it in found)),
        "processor_ms": _rounded(statistics.median(it.thread for it in found)),
    }


def _quartiles(numbers: Sequence[float]) -> list[float]:
    if len(numbers) < 2:
        return []
    first, _, third = statistics.quantiles(numbers, n=4, method="inclusive")
    return [_rounded(first), _rounded(third)]


def _rounded(number: float) -> float:
    return float(f"{number:.4g}")
