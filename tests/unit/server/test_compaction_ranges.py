"""Which ranges of runs a process compacts next."""

from typing import Any
from uuid import UUID

from stepwell_server.store.upkeep.ranges import (
    OVERDUE_PAUSES,
    RANGES,
    TOGETHER_CHUNKS_MAX,
    due,
    first_run,
    last_run,
    number_of,
    spans,
)

PAUSE_MS = 1_000.0
ME, OTHER = UUID(int=1), UUID(int=2)


def row(rested_ms: float, holder: UUID | None = ME, fresh_chunks: int = 0, **more: bool) -> dict[str, Any]:
    return {
        "rested_ms": rested_ms,
        "holder": holder,
        "fresh_chunks": fresh_chunks,
        "is_held": False,
        "is_paused": False,
        **more,
    }


def test_ranges_are_all_runs_and_do_not_overlap() -> None:
    assert first_run(0) == UUID(int=0)
    assert last_run(RANGES - 1) == UUID(int=2**128 - 1)
    assert all(last_run(number).int + 1 == first_run(number + 1).int for number in range(RANGES - 1))


def test_ranges_that_follow_each_other_are_one_span() -> None:
    assert spans([]) == []
    assert spans([0, 1, 2, 5, 7, 8]) == [(0, 2), (5, 5), (7, 8)]
    assert [number_of(last_run(number)) for number in range(RANGES)] == list(range(RANGES))


def test_the_longest_neglected_goes_first_and_what_is_recent_or_held_waits() -> None:
    rows = [row(1_000), row(999), row(3_000), row(9_000, is_held=True), row(2_000, holder=None)]
    # Nor is one taken that would be done before the first: when there is more to do than expected, that would wait.
    assert due(rows, ME, PAUSE_MS) == [2, 4]
    assert due([row(9_000, is_paused=True)], ME, PAUSE_MS) == []


def test_what_another_had_is_taken_when_it_is_overdue() -> None:
    overdue_ms = PAUSE_MS * OVERDUE_PAUSES
    assert due([row(overdue_ms - 1, OTHER), row(overdue_ms, OTHER)], ME, PAUSE_MS) == [1]


def test_ranges_with_little_to_do_are_taken_together_and_large_ones_alone() -> None:
    much = TOGETHER_CHUNKS_MAX + 1
    assert due([row(1_002, fresh_chunks=much), row(1_001)], ME, PAUSE_MS) == [0]
    assert due([row(1_003), row(1_002), row(1_001, fresh_chunks=much)], ME, PAUSE_MS) == [0, 1]
