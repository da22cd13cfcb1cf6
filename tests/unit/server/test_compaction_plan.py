"""Which chunks are merged, and when."""

from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell_server.store.chunks.building import CHUNK_POINTS_MAX, SMALL_POINTS_MAX
from stepwell_server.store.upkeep.looking import DUE_CHUNKS_MAX, FreshWriter, Outlook
from stepwell_server.store.upkeep.plan import (
    FRESH_CHUNKS_MAX,
    MERGE_POINTS_MAX,
    OPEN_CHUNKS_MAX,
    QUIET_MS,
    Before,
    ChunkKey,
    FreshSeries,
    Merge,
    SeriesKey,
    chunks_until_due,
    merged_keys,
    of_neighbours,
    transactions,
    wanted_merges,
    with_open,
)


def series(number: int) -> SeriesKey:
    return SeriesKey(UUID(int=1), UUID(int=2), number)


def fresh(counts: list[int], number: int = 1, quiet_ms: int = 0) -> FreshSeries:
    chunks = len(counts)
    return FreshSeries(
        series(number),
        range(chunks),
        [0] * chunks,
        counts,
        quiet_ms,
        sum(counts),
    )


def keys_of(fresh: FreshSeries) -> list[ChunkKey]:
    return [ChunkKey(fresh.series, *key) for key in zip(fresh.first_positions, fresh.parts, strict=True)]


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
    assert bool(list(wanted_merges([fresh(counts, quiet_ms=quiet_ms)]))) is due


@pytest.mark.parametrize(
    ("counts", "merged", "chunks"),
    [
        ([1] * 10, False, FRESH_CHUNKS_MAX),
        ([1] * 10, True, FRESH_CHUNKS_MAX),
        ([2_000, 1_000], False, 3),
        ([2_000, 1_000], True, 2),
        ([2_000, 1_987], False, 2),
        ([1] * 99, False, FRESH_CHUNKS_MAX),
    ],
)
def test_how_many_chunks_make_a_series_due(counts: list[int], merged: bool, chunks: int) -> None:
    assert chunks_until_due(fresh(counts), merged=merged) == chunks


def test_each_series_is_judged_alone() -> None:
    chunks = [fresh([10] * (FRESH_CHUNKS_MAX - 1), number=1), fresh([10] * 70, number=2)]
    assert [merge.series for merge in wanted_merges(chunks)] == [series(2)]
    assert [merge.series for merge in wanted_merges(chunks, at_once=True)] == [series(1), series(2)]


def test_a_writer_is_looked_at_when_it_may_have_enough_that_has_settled() -> None:
    outlook = Outlook()

    def is_worth_a_look(fullest: int, quiet_ms: int = 0) -> bool:
        writer = FreshWriter(series(1).writer, 2 * fullest, fullest, quiet_ms)
        found = outlook.is_worth_a_look(writer)
        outlook.end_round()
        return found

    def note(fullest: int, settled: int, *, merged: bool) -> None:
        writer = FreshWriter(series(1).writer, 2 * fullest, fullest, 0)
        outlook.is_worth_a_look(writer)
        outlook.note(writer, [fresh([1] * settled), fresh([1])] if settled else [], merged=merged)
        outlook.end_round()

    assert is_worth_a_look(1)  # nobody knows
    note(15, 0, merged=False)
    assert is_worth_a_look(15)
    note(15, 5, merged=False)
    assert not is_worth_a_look(FRESH_CHUNKS_MAX + 9)
    assert is_worth_a_look(FRESH_CHUNKS_MAX + 9, QUIET_MS)
    assert is_worth_a_look(FRESH_CHUNKS_MAX + 10)
    note(FRESH_CHUNKS_MAX + 4, FRESH_CHUNKS_MAX, merged=True)
    assert not is_worth_a_look(FRESH_CHUNKS_MAX + 3)
    assert is_worth_a_look(FRESH_CHUNKS_MAX + 4)
    note(10_000, 10, merged=False)
    assert is_worth_a_look(DUE_CHUNKS_MAX)
    outlook.end_round()  # in which it was not met
    assert is_worth_a_look(1)


@given(st.lists(st.lists(st.integers(1, SMALL_POINTS_MAX - 1), min_size=1, max_size=400), max_size=3))
def test_work_is_bounded_and_complete(counts: list[list[int]]) -> None:
    chunks = [fresh(each, number) for number, each in enumerate(counts)]
    together = list(transactions(list(wanted_merges(chunks, at_once=True))))
    keys = [key for merges in together for merge in merges for key in merge.keys]
    assert keys == [key for each in chunks for key in keys_of(each)]
    for merges in together:
        assert sum(merge.points for merge in merges) <= MERGE_POINTS_MAX


def test_what_open_chunks_bring_counts_in_a_transaction() -> None:
    merges = [behind([CHUNK_POINTS_MAX - 1], 1, at_rest=True) for _ in range(100)]
    assert {sum(merge.all_points for merge in each) for each in transactions(merges)} <= {
        8 * CHUNK_POINTS_MAX,
        4 * CHUNK_POINTS_MAX,
    }


@given(st.lists(st.integers(1, CHUNK_POINTS_MAX - 1), min_size=1, max_size=50))
def test_there_are_keys_for_all_outputs_and_the_small_one_comes_last(counts: list[int]) -> None:
    inputs = keys_of(fresh(counts))
    outputs = -(-sum(counts) // CHUNK_POINTS_MAX)
    keys = merged_keys(inputs, outputs)
    assert len(set(keys)) == outputs
    assert set(keys) <= set(inputs)
    assert keys[-1] == inputs[-1]


def behind(counts: list[int], points: int, *, at_rest: bool = False) -> Merge:
    """A merge of so many points behind merged chunks, with what it takes of these."""
    before = [
        Before(ChunkKey(series(1), place, 0), count, count < CHUNK_POINTS_MAX)
        for place, count in enumerate(counts)
    ]
    return with_open(Merge([ChunkKey(series(1), len(counts), 0)], [points], at_rest, False), before[::-1])


@pytest.mark.parametrize(
    ("counts", "points", "at_rest", "taken"),
    [
        ([400], 100, False, [0]),
        ([401], 100, False, []),
        ([401], 100, True, [0]),
        ([2_000, 400], 100, False, [0, 1]),
        ([2_001, 400], 100, False, [1]),
        ([100, CHUNK_POINTS_MAX, 100], 100, True, [2]),
        ([100, CHUNK_POINTS_MAX], 100, True, []),
    ],
)
def test_open_chunks_wait_until_more_comes_to_them_or_their_writer_rests(
    counts: list[int], points: int, at_rest: bool, taken: list[int]
) -> None:
    merge = behind(counts, points, at_rest=at_rest)
    assert [key.first_position for key in merge.all_keys] == [*taken, len(counts)]
    assert merge.all_points == points + sum(counts[place] for place in taken)


@pytest.mark.parametrize(("points", "written_max"), [(1, 14), (64, 7), (1_000, 3)])
def test_points_are_written_few_times_and_few_chunks_stay_open(points: int, written_max: int) -> None:
    counts: list[int] = []
    merges, written = 10 * CHUNK_POINTS_MAX // points, 0
    for _ in range(merges):
        merge = behind(counts, points)
        written += merge.all_points
        counts = counts[: len(counts) - len(merge.open_keys)]
        full, rest = divmod(merge.all_points, CHUNK_POINTS_MAX)
        counts += [CHUNK_POINTS_MAX] * full + [rest] * (rest > 0)
        assert sum(count < CHUNK_POINTS_MAX for count in counts) <= OPEN_CHUNKS_MAX
    assert written <= written_max * merges * points


def test_chunks_are_merged_with_their_neighbours_alone() -> None:
    merge = Merge(
        [ChunkKey(series(1), *key) for key in ((0, 0), (1, 2), (2, 0), (5, 0))], [1, 2, 3, 4], True, True
    )
    between = [ChunkKey(series(1), *key) for key in ((1, 0), (1, 1), (4, 0))]
    assert [list(each.counts) for each in of_neighbours(merge, between)] == [[1], [2, 3], [4]]
    assert list(of_neighbours(merge, [])) == [replace(merge, keys=tuple(merge.keys), counts=(1, 2, 3, 4))]


@pytest.mark.parametrize(
    ("counts", "steps", "asked"), [([1, 1], 3_000, True), ([1, 1], 2_999, False), ([1], 3_000, False)]
)
def test_large_chunks_are_looked_for_where_steps_have_room_for_them(
    counts: list[int], steps: int, asked: bool
) -> None:
    [merge] = wanted_merges([replace(fresh(counts), steps=steps)], at_once=True)
    assert merge.may_lie_over is asked
