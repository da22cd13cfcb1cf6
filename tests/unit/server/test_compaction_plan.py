"""Which chunks are merged, and when."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell_server.store.chunks.building import CHUNK_POINTS_MAX, SMALL_POINTS_MAX
from stepwell_server.store.upkeep.plan import (
    FRESH_CHUNKS_MAX,
    MERGE_POINTS_MAX,
    QUIET_MS,
    ChunkKey,
    FreshChunk,
    SeriesKey,
    merged_keys,
    transactions,
    wanted_merges,
)


def series(number: int) -> SeriesKey:
    return SeriesKey(UUID(int=1), UUID(int=2), number)


def fresh(counts: list[int], number: int = 1, quiet_ms: int = 0) -> list[FreshChunk]:
    return [
        FreshChunk(ChunkKey(series(number), position, 0), count, quiet_ms)
        for position, count in enumerate(counts)
    ]


@pytest.mark.parametrize(
    ("counts", "quiet_ms", "due"),
    [
        ([10] * (FRESH_CHUNKS_MAX - 1), 0, False),
        ([10] * FRESH_CHUNKS_MAX, 0, True),
        ([2_000, 1_900], 0, False),
        ([2_000, 1_900, 87], 0, True),
        ([1], QUIET_MS - 1, False),
        ([1], QUIET_MS, True),
    ],
)
def test_a_series_is_merged_when_it_is_worth_it(counts: list[int], quiet_ms: int, due: bool) -> None:
    assert bool(list(wanted_merges(fresh(counts, quiet_ms=quiet_ms)))) is due


def test_each_series_is_judged_alone() -> None:
    chunks = fresh([10] * 40, number=1) + fresh([10] * 70, number=2)
    assert [merge.series for merge in wanted_merges(chunks)] == [series(2)]
    assert [merge.series for merge in wanted_merges(chunks, at_once=True)] == [series(1), series(2)]


@given(st.lists(st.lists(st.integers(1, SMALL_POINTS_MAX - 1), min_size=1, max_size=400), max_size=3))
def test_work_is_bounded_and_complete(counts: list[list[int]]) -> None:
    chunks = [chunk for number, each in enumerate(counts) for chunk in fresh(each, number)]
    together = list(transactions(list(wanted_merges(chunks, at_once=True))))
    keys = [key for merges in together for merge in merges for key in merge.keys]
    assert keys == [chunk.key for chunk in chunks]
    for merges in together:
        assert sum(merge.points for merge in merges) <= MERGE_POINTS_MAX


@given(st.lists(st.integers(1, CHUNK_POINTS_MAX - 1), min_size=1, max_size=50))
def test_there_are_keys_for_all_outputs_and_the_small_one_comes_last(counts: list[int]) -> None:
    inputs = [chunk.key for chunk in fresh(counts)]
    outputs = -(-sum(counts) // CHUNK_POINTS_MAX)
    keys = merged_keys(inputs, outputs)
    assert len(set(keys)) == outputs
    assert set(keys) <= set(inputs)
    assert keys[-1] == inputs[-1]
