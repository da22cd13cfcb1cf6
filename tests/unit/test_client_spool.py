"""The spool: what is appended comes out once, in order, in slices; limits block and say so."""

import struct
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from stepwell import Param, RunTag, StepwellException, segment, spool
from stepwell.batches import BATCH_NEW_NAMES_MAX, KeyTable, read_batch
from stepwell.spool import FIRST_SEGMENT_RECORDS, SEGMENT_RECORDS, Spool, StatusChange

ALL = 10**9


def filled(points: int) -> Spool:
    log = Spool()
    number = log.number_of("loss")
    for step in range(points):
        log.append_point(number, step, 7, step / 2)
    return log


def test_nothing_yet() -> None:
    assert Spool().read(0, ALL, ALL) is None
    assert Spool().end_position() == 0


@pytest.mark.parametrize("points", [1, FIRST_SEGMENT_RECORDS, FIRST_SEGMENT_RECORDS + 1, 3 * SEGMENT_RECORDS])
def test_points_come_out_as_columns(points: int) -> None:
    log = filled(points)
    piece = log.read(0, ALL, ALL)
    assert (piece.first_position, piece.end_position, log.end_position()) == (0, points, points)
    assert piece.steps.tolist() == list(range(points))
    assert piece.values.tolist() == [step / 2 for step in range(points)]
    assert set(piece.timestamps_ms.tolist()) == {7}
    assert log.read(points, ALL, ALL) is None


def test_slices_join() -> None:
    log, position, steps = filled(5_000), 0, []
    while (piece := log.read(position, 700, ALL)) is not None:
        assert piece.first_position == position
        assert len(piece) <= 700
        steps += piece.steps.tolist()
        position = piece.end_position
        log.forget_below(position)
    assert steps == list(range(5_000))


def test_entries_keep_their_positions() -> None:
    log = Spool()
    number = log.number_of("loss")
    events = [Param("p", "1"), RunTag("t", "2"), StatusChange(3, 9)]
    for event in events:
        log.append_point(number, 0, 0, 0.0)
        log.append_entry(event)
    piece = log.read(0, ALL, ALL)
    assert piece.entries == [(1, events[0]), (3, events[1]), (5, events[2])]
    assert len(piece.steps) == 3


def test_slices_are_bounded_in_characters() -> None:
    log = Spool()
    for key in "abc":
        log.append_entry(RunTag(key, "x" * 99))
    assert [key.key for _, key in log.read(0, ALL, 250).entries] == ["a", "b"]
    assert [key.key for _, key in log.read(2, ALL, 1).entries] == ["c"]


def test_extreme_numbers_stay() -> None:
    log = Spool()
    rows = [
        (-(2**63), 0, float("-inf")),
        (2**63 - 1, 2**63 - 1, float("inf")),
        (0, 1, 5e-324),
        (0, 1, float("nan")),
    ]
    for row in rows:
        log.append_point(1, *row)
    piece = log.read(0, ALL, ALL)
    assert piece.steps.tolist() == [row[0] for row in rows]
    assert piece.timestamps_ms.tolist() == [row[1] for row in rows]
    np.testing.assert_array_equal(piece.values, [row[2] for row in rows])


def test_a_step_that_does_not_fit_leaves_no_gap() -> None:
    log = Spool()
    log.append_point(1, 1, 0, 0.0)
    with pytest.raises(StepwellException, match="64-bit"):
        log.append_point(1, 2**63, 0, 0.0)
    log.append_point(1, 2, 0, 0.0)
    piece = log.read(0, ALL, ALL)
    assert (piece.steps.tolist(), piece.end_position) == ([1, 2], 3)


def test_a_gap_holds_back_what_follows_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    log = Spool()
    log.append_point(1, 1, 0, 0.0)
    abandoned = next(log._segment.offsets)
    log.append_point(1, 3, 0, 0.0)
    assert log.read(0, ALL, ALL).steps.tolist() == [1]
    assert log.read(1, ALL, ALL) is None
    assert abandoned == segment.RECORD_BYTES
    monkeypatch.setattr(spool, "GAP_PATIENCE_S", 0.0)
    assert log.read(1, ALL, ALL).steps.tolist() == [3]


def test_many_threads() -> None:
    log = Spool()
    numbers = [log.number_of(f"m{thread}") for thread in range(4)]

    def append(number: int) -> None:
        for step in range(20_000):
            log.append_point(number, step, 0, 0.0)

    with ThreadPoolExecutor() as threads:
        list(threads.map(append, numbers))
    piece = log.read(0, ALL, ALL)
    for number in numbers:
        assert piece.steps[piece.numbers == number].tolist() == list(range(20_000))


def test_a_full_spool_waits_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(spool, "SEGMENTS_MAX", 2)
    log = filled(FIRST_SEGMENT_RECORDS + SEGMENT_RECORDS)
    thread = threading.Thread(target=log.append_point, args=(1, -1, 0, 0.0), daemon=True)
    thread.start()
    thread.join(0.1)
    assert thread.is_alive()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    log.forget_below(FIRST_SEGMENT_RECORDS)
    thread.join(10)
    assert log.read(FIRST_SEGMENT_RECORDS + SEGMENT_RECORDS, ALL, ALL).steps.tolist() == [-1]


def test_batches_group_points_by_metric() -> None:
    log, table = Spool(), KeyTable()
    for step in range(3):
        for name in ("b", "a"):
            log.append_point(log.number_of(name), step, 10 * step, float(step))
    batch, records = read_batch(log, 0, table)
    assert records == 6
    assert (batch.new_keys, batch.points.key, batch.points.count) == (["b", "a"], [0, 1], [3, 3])
    assert batch.points.step == [0, 1, 2, 0, 1, 2]
    assert batch.points.timestamp_ms == [0, 10, 20, 0, 10, 20]
    log.append_point(log.number_of("a"), 9, 9, 9.0)
    batch, _ = read_batch(log, 6, table)
    assert (batch.new_keys, batch.points.key, batch.first_position, batch.end_position) == ([], [1], 6, 7)


def test_batches_stay_small_with_many_new_names() -> None:
    log, table, position, names = Spool(), KeyTable(), 0, []
    for number in range(5_000):
        log.append_point(log.number_of(f"{number:05}" + "𝔪" * 245), 0, 0, 0.0)
    while (cut := read_batch(log, position, table)) is not None:
        batch, _ = cut
        assert len(batch.new_keys) <= BATCH_NEW_NAMES_MAX
        assert batch.ByteSize() < 4 * 2**20
        names += batch.new_keys
        position = batch.end_position
    assert len(set(names)) == 5_000


def test_the_record_is_as_drawn() -> None:
    assert segment.RECORD_BYTES == struct.calcsize("<qqdII") == 32
