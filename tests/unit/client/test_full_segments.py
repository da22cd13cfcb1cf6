"""The list of full segments against a plain deque of them."""

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.spool.full_segments import FullSegments

SIZES = st.sampled_from([1_024, 4_096, 16_384])


@given(st.lists(st.one_of(SIZES, st.none())))
def test_gives_back_what_was_appended_oldest_first(steps: list[int | None]) -> None:
    segments, expected, end = FullSegments(), deque[tuple[int, int]](), 0
    for records in steps:
        if records is not None:
            segments.append(records)
            expected.append((end, records))
            end += records
        elif expected:
            assert segments.oldest == expected[0]
            assert segments.pop_oldest() == expected.popleft()
        assert bool(segments) == bool(expected)


def test_takes_no_more_memory_for_many_equal_ones() -> None:
    segments = FullSegments()
    for _ in range(100_000):
        segments.append(16_384)
    assert len(segments._runs) == 1


def test_none_is_oldest_of_none() -> None:
    with pytest.raises(IndexError):
        _ = FullSegments().oldest
