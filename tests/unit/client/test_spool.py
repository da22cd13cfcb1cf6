"""The spool: what is appended comes out once, in order, in slices; limits do what they say; damage is counted."""

import itertools
import math
import os
import struct
import sys
import threading
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stepwell import StepwellException
from stepwell.delivery.batches import BATCH_NEW_NAMES_MAX, KeyTable, read_batch
from stepwell.spool import log as spool_log
from stepwell.spool import reader as spool_reading
from stepwell.spool import room, segment
from stepwell.spool.arrays import ArrayPoints
from stepwell.spool.log import SealedError, Spool, SpoolLimits
from stepwell.spool.names import NAMES_FILE
from stepwell.spool.reader import SpoolReader
from stepwell.spool.records import NS_PER_MS, RECORD_BYTES
from stepwell.spool.segment import FIRST_SEGMENT_RECORDS, Segment
from stepwell.spool.segment_files import segment_name
from stepwell.wire.messages import tag_entry
from stepwell_api.v1 import ingest_pb2
from tests.harness.network.faults import until

ALL = 10**9
LONG = 40_000  # points; they take segments of several sizes

MakeSpool = Callable[..., Spool]
Row = tuple[int, int, bytes]


@pytest.fixture
def new_spool(tmp_path: Path) -> MakeSpool:
    def make(bytes_max: int = 2**30, when_full: str = "raise", after_seal: object = None) -> Spool:
        return Spool(tmp_path, SpoolLimits(bytes_max, when_full), after_seal)

    return make


@pytest.fixture
def log(new_spool: MakeSpool) -> Spool:
    return new_spool()


def fill(log: Spool, points: int) -> Spool:
    number = log.number_of("loss")
    for step in range(points):
        log.append_point(number, step, 7 * NS_PER_MS + step % 1_000_000, step / 2)
    return log


def reader(log: Spool, *, alive: bool = True) -> SpoolReader:
    return SpoolReader(log.folder, alive=alive)


def all_steps(of: SpoolReader, position: int = 0, records: int = ALL) -> list[int]:
    steps: list[int] = []
    while (piece := of.read(position, records, ALL)) is not None:
        assert piece.first_position == position
        assert len(piece.steps) <= records
        steps += piece.steps.tolist()
        position = piece.end_position
    return steps


def all_entries(log: Spool) -> list[tuple[int, bytes]]:
    entries: list[tuple[int, bytes]] = []
    of, position = reader(log), 0
    while (piece := of.read(position, ALL, ALL)) is not None:
        entries += piece.entries
        position = piece.end_position
    return entries


def point(row: tuple[int, int, float]) -> Row:
    """A point with its bits: NaN is not equal to itself."""
    step, time_ms, value = row
    return step, time_ms, struct.pack("<d", value)


def all_points(of: SpoolReader) -> Counter[Row]:
    found: Counter[Row] = Counter()
    position = 0
    while (piece := of.read(position, ALL, ALL)) is not None:
        position = piece.end_position
        for columns in (piece, *piece.arrays):
            rows = (columns.steps.tolist(), columns.timestamps_ms.tolist(), columns.values.tolist())
            found.update(map(point, zip(*rows, strict=True)))
    return found


def test_nothing_yet(log: Spool) -> None:
    assert reader(log).read(0, ALL, ALL) is None
    assert log.end_position() == reader(log).end_position() == 0


@pytest.mark.parametrize("points", [1, FIRST_SEGMENT_RECORDS, FIRST_SEGMENT_RECORDS + 1, LONG])
def test_points_come_out_as_columns(log: Spool, points: int) -> None:
    fill(log, points)
    piece = reader(log).read(0, 700, ALL)
    assert piece.values.tolist() == [step / 2 for step in range(min(points, 700))]
    assert set(piece.timestamps_ms.tolist()) == {7}
    assert all_steps(reader(log)) == all_steps(reader(log, alive=False)) == list(range(points))
    assert log.end_position() == reader(log).end_position() == points


def test_what_is_delivered_goes(log: Spool) -> None:
    fill(log, LONG)
    before = log.bytes_on_disk
    log.remove_below(LONG - 1)
    assert all_steps(reader(log), LONG - 1) == [LONG - 1]
    assert log.bytes_on_disk < before
    assert len(list(log.folder.glob("points2-*"))) == 1


def test_entries_keep_their_positions(log: Spool) -> None:
    number = log.number_of("loss")
    for payload in (b"a", b"bb"):
        log.append_point(number, 0, 0, 0.0)
        log.append_entry(payload)
    assert reader(log).read(0, ALL, ALL).entries == [(1, b"a"), (3, b"bb")]


def test_many_entries_of_any_length_keep_their_order(log: Spool) -> None:
    payloads = [bytes([number % 251]) * length for number, length in enumerate([1] * 3_000 + [40_000] * 5)]
    waiting = deque(payloads)
    log.append_entries(waiting)
    assert not waiting
    assert all_entries(log) == list(enumerate(payloads))


def test_entries_that_the_end_of_a_log_leaves_over_stay_in_the_queue(tmp_path: Path) -> None:
    log = Spool(tmp_path, SpoolLimits(10**9, "raise"), lambda *_: None, lambda: log.seal())
    waiting = deque([b"x"] * 3 * FIRST_SEGMENT_RECORDS)
    with pytest.raises(SealedError):
        log.append_entries(waiting)
    assert 0 < len(waiting) == 3 * FIRST_SEGMENT_RECORDS - len(all_entries(log))


def test_slices_are_bounded_in_bytes(log: Spool) -> None:
    for letter in b"abc":
        log.append_entry(bytes([letter]) * 100)
    assert [payload[:1] for _, payload in reader(log).read(0, ALL, 250).entries] == [b"a", b"b"]
    assert [payload[:1] for _, payload in reader(log).read(2, ALL, 1).entries] == [b"c"]


def test_extreme_numbers_stay(log: Spool) -> None:
    rows = [
        (-(2**63), 0, float("-inf")),
        (2**63 - 1, 2**63 - 1, float("inf")),
        (0, 1, 5e-324),
        (0, 1, float("nan")),
        (1, -1, -0.0),
        (1, -(2**63), 0.5),
    ]
    number = log.number_of("loss")
    for row in rows:
        log.append_point(number, row[0], row[1] * NS_PER_MS, row[2])
    assert all_points(reader(log)) == Counter(map(point, rows))


@pytest.mark.parametrize(
    ("steps", "times"),
    [
        (np.arange(5), np.full(5, 3)),
        (np.array([2**63 - 1, -(2**63), 0, 7, 7]), np.arange(5)),
        (np.array([5, 3, 1, -1, -3]), np.array([9, 8, 9, 8, 9])),
    ],
)
def test_arrays_come_out_as_they_went_in(log: Spool, steps: np.ndarray, times: np.ndarray) -> None:
    values = np.array([0.1, np.nan, np.inf, -0.0, 5e-324])
    log.append_array(ArrayPoints(log.number_of("loss"), steps, times, values))
    (points,) = reader(log).read(0, ALL, ALL).arrays
    assert points.steps.tolist() == steps.tolist()
    assert points.timestamps_ms.tolist() == times.tolist()
    assert points.values.tobytes() == values.tobytes()


def test_long_arrays_are_cut_and_counted(log: Spool) -> None:
    count = spool_log.ARRAY_POINTS_MAX + 1
    column = np.arange(count)
    log.append_array(ArrayPoints(log.number_of("loss"), column, column, column / 2))
    piece = reader(log).read(0, ALL, ALL)
    assert [len(points) for points in piece.arrays] == [spool_log.ARRAY_POINTS_MAX, 1]
    assert (piece.end_position, log.extra_points, len(piece)) == (2, count - 2, count)


def test_a_step_that_does_not_fit_leaves_no_gap(log: Spool) -> None:
    number = log.number_of("loss")
    log.append_point(number, 1, 0, 0.0)
    with pytest.raises(StepwellException, match="64-bit"):
        log.append_point(number, 2**63, 0, 0.0)
    log.append_point(number, 2, 0, 0.0)
    piece = reader(log).read(0, ALL, ALL)
    assert (piece.steps.tolist(), piece.end_position) == ([1, 2], 3)


def test_a_gap_holds_back_what_follows_but_not_for_ever(log: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    number = log.number_of("loss")
    log.append_point(number, 1, 0, 0.0)
    assert next(log._segment.offsets) == RECORD_BYTES
    log.append_point(number, 3, 0, 0.0)
    live = reader(log)
    assert live.read(0, ALL, ALL).steps.tolist() == [1]
    assert live.read(1, ALL, ALL) is None
    monkeypatch.setattr(spool_reading, "GAP_LOOK_S", 0.0)
    assert live.read(1, ALL, ALL) is None
    monkeypatch.setattr(spool_reading, "GAP_PATIENCE_S", 0.0)
    assert live.read(1, ALL, ALL).steps.tolist() == [3]


def test_the_gap_of_a_dead_process_is_passed_over_at_once_and_named(log: Spool) -> None:
    number = log.number_of("loss")
    next(log._segment.offsets)
    log.append_point(number, 3, 0, 0.0)
    dead = reader(log, alive=False)
    assert all_steps(dead) == [3]
    assert [damage.count for damage in dead.damage] == [1]
    assert not dead.damage.lost, "its call did not return"
    for _ in range(spool_reading.ABANDONED_MAX + 1):
        next(log._segment.offsets)
    log.append_point(number, 4, 0, 0.0)
    assert all_steps(dead, 2) == [4]
    assert dead.damage.lost == spool_reading.ABANDONED_MAX + 1, "more than threads"


def test_many_threads(log: Spool) -> None:
    numbers = [log.number_of(f"m{thread}") for thread in range(4)]

    def append(number: int) -> None:
        for step in range(20_000):
            log.append_point(number, step, 0, 0.0)

    found: dict[int, list[int]] = {number: [] for number in numbers}
    position, live = 0, reader(log)
    with ThreadPoolExecutor() as threads:
        jobs = [threads.submit(append, number) for number in numbers]
        while position < 80_000:
            if (piece := live.read(position, 5_000, ALL)) is not None:
                for number in numbers:
                    found[number] += piece.steps[piece.numbers == number].tolist()
                position = piece.end_position
            log.prepare()
        for job in jobs:
            job.result()
    assert found == {number: list(range(20_000)) for number in numbers}


def test_a_slice_says_whether_more_waits(log: Spool) -> None:
    number = log.number_of("loss")
    for step in range(10):
        log.append_point(number, step, 0, 0.0)
    live = reader(log)
    assert live.read(0, 4, ALL).more
    assert not live.read(4, ALL, ALL).more
    for _ in range(2):
        log.append_entry(b"x" * 100)
    assert live.read(10, ALL, 100).more
    assert not live.read(11, ALL, 100).more


def test_a_slice_goes_on_in_the_next_segment(log: Spool) -> None:
    fill(log, LONG)
    live, second = reader(log), FIRST_SEGMENT_RECORDS
    first = live.read(second - 10, 100, ALL)
    assert (first.steps.tolist(), first.more) == (list(range(second - 10, second + 90)), True)
    assert set(first.timestamps_ms.tolist()) == {7}
    assert len(live.read(0, ALL, ALL)) == 5 * FIRST_SEGMENT_RECORDS, "two at most"
    log.append_entry(b"x" * 100)
    log.append_entry(b"y" * 100)
    assert all_entries(log) == [(LONG, b"x" * 100), (LONG + 1, b"y" * 100)]


def test_the_next_segment_is_there_before_it_is_needed(tmp_path: Path) -> None:
    wanted: list[int] = []
    log = Spool(tmp_path, SpoolLimits(10**9, "raise"), lambda *_: None, lambda: wanted.append(len(wanted)))
    log.prepare()
    files = {path.name for path in tmp_path.glob("points2-*")}
    assert len(files) == 2
    number = log.number_of("loss")
    for step in range(FIRST_SEGMENT_RECORDS + 1):
        log.append_point(number, step, 0, 0.0)
    assert (wanted, {path.name for path in tmp_path.glob("points2-*")}) == ([0], files)
    assert all_steps(reader(log)) == list(range(FIRST_SEGMENT_RECORDS + 1))


def test_files_of_frames_are_there_from_the_first_frame_on(log: Spool) -> None:
    def names() -> set[str]:
        return {path.name for path in log.folder.iterdir()}

    first = segment_name(0, FIRST_SEGMENT_RECORDS)
    assert names() == {first}
    log.append_entry(b"entry")
    assert names() == {first, spool_log.log_file_name(0)}
    fill(log, 1)
    assert names() == {first, spool_log.log_file_name(0), NAMES_FILE}


def test_what_is_written_through_to_the_disk(log: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    monkeypatch.setattr(spool_log, "_write_through", lambda path: written.append(path.name))

    def segments_of_call() -> list[str]:
        written.clear()
        log.write_through()
        assert NAMES_FILE in written
        return [name for name in written if name.startswith("points2-")]

    first = segment_name(0, FIRST_SEGMENT_RECORDS)
    fill(log, 10)
    log.prepare()
    assert [segments_of_call() for _ in range(3)] == [[], [first], [first]]
    fill(log, FIRST_SEGMENT_RECORDS)
    assert segments_of_call() == [first]
    assert [segments_of_call() for _ in range(2)] == [[log._segment.path.name]] * 2


def test_segments_are_made_by_one_thread_at_a_time(new_spool: MakeSpool) -> None:
    """Log calls that wait for room, and a background thread that finds room at the same time."""
    log = new_spool(RECORD_BYTES * 12 * FIRST_SEGMENT_RECORDS, "block")
    ended = threading.Event()

    def prepare() -> None:
        while not ended.is_set():
            log.prepare()

    found, position, live = [], 0, reader(log)
    with ThreadPoolExecutor() as threads:
        preparing = threads.submit(prepare)
        filling = threads.submit(fill, log, LONG)
        while position < LONG:
            if (piece := live.read(position, ALL, ALL)) is not None:
                found += piece.steps.tolist()
                position = piece.end_position
                log.remove_below(position)
        ended.set()
        preparing.result()
        filling.result()
    assert found == list(range(LONG))


def test_a_signal_handler_that_logs_while_its_thread_makes_room_is_told(
    log: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def interrupted(*arguments: Any) -> Segment:
        with pytest.raises(StepwellException) as refusal:
            fill(log, 1)
        told.append(refusal.value.message)
        return Segment(*arguments)

    monkeypatch.setattr(spool_log, "Segment", interrupted)
    fill(log, FIRST_SEGMENT_RECORDS + 1)
    assert "from within another one" in told[0]
    assert all_steps(reader(log)) == [*range(FIRST_SEGMENT_RECORDS + 1)]


def test_names_that_are_logged_together_are_found_with_one_look(
    log: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.remember_group(("loss", "accuracy"))
    assert log.groups == {("loss", "accuracy"): (log.number_of("loss"), log.number_of("accuracy"))}
    monkeypatch.setattr(
        spool_log, "GROUPS_BYTES_MAX", 2 * spool_log.GROUP_BYTES + 3 * spool_log.GROUPED_NAME_BYTES
    )
    log.remember_group(("loss",))
    log.remember_group(("loss",))
    assert list(log.groups) == [("loss", "accuracy"), ("loss",)]
    log.remember_group(("accuracy",))
    assert list(log.groups) == [("accuracy",)], "at the limit it starts over"


def test_a_sealed_spool_sends_points_elsewhere(new_spool: MakeSpool) -> None:
    elsewhere: list[tuple[object, ...]] = []
    log = new_spool(after_seal=lambda *point: elsewhere.append(point))
    number, append = log.number_of("loss"), log.append_point
    append(number, 1, 0, 0.5)
    log.seal()
    append(number, 2, 0, 0.5)
    assert elsewhere == [("loss", 2, 0, 0.5)]
    assert all_steps(reader(log)) == [1]
    with pytest.raises(SealedError):
        log.append_entry(b"x")
    assert log.end_position() == 1


def test_a_listing_that_misses_a_new_segment_loses_nothing(
    log: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(log, LONG)
    true_listing, listings = os.listdir, []

    def listing(folder: Path) -> list[str]:
        # As a listing that runs while files are made: the second segment is missing from the first one.
        listings.append(folder)
        names = true_listing(folder)
        return [name for name in names if len(listings) != 2 or f"{FIRST_SEGMENT_RECORDS:016x}" not in name]

    monkeypatch.setattr(os, "listdir", listing)
    assert all_steps(reader(log), records=FIRST_SEGMENT_RECORDS) == list(range(LONG))


def test_a_segment_has_its_name_only_when_it_has_its_room(
    log: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    allocate, seen = segment.allocate, []

    def look_meanwhile(descriptor: int, size: int) -> None:
        seen.append([path.stat().st_size for path in log.folder.glob("points2-*")])
        allocate(descriptor, size)

    monkeypatch.setattr(segment, "allocate", look_meanwhile)
    fill(log, LONG)
    assert seen
    assert all(size for sizes in seen for size in sizes)


class TestFull:
    """What happens where the spool has reached its limit."""

    LIMIT = 350_000  # bytes

    def test_raise(self, new_spool: MakeSpool) -> None:
        log = new_spool(self.LIMIT, "raise")
        with pytest.raises(StepwellException, match="limit of 350000 bytes") as caught:
            fill(log, LONG)
        assert caught.value.error_code == "RESOURCE_EXHAUSTED"
        assert all_steps(reader(log)) == list(range(log.end_position()))

    def test_drop_oldest(self, new_spool: MakeSpool, caplog: pytest.LogCaptureFixture) -> None:
        log = fill(new_spool(self.LIMIT * 4, "drop_oldest"), 2 * LONG)
        steps = all_steps(reader(log))
        assert steps == list(range(2 * LONG - len(steps), 2 * LONG))
        assert log.dropped == 2 * LONG - len(steps) > 0
        assert "oldest goes" in caplog.text

    def test_block(self, new_spool: MakeSpool, caplog: pytest.LogCaptureFixture) -> None:
        log = new_spool(self.LIMIT, "block")
        thread = threading.Thread(target=fill, args=(log, 6_000), daemon=True)
        thread.start()
        until(lambda: "Log calls wait" in caplog.text)
        thread.join(0.3)
        assert thread.is_alive()
        live = reader(log)
        first = all_steps(live)
        log.remove_below(len(first))
        thread.join(60)
        assert all_steps(live, len(first)) == list(range(len(first), 6_000))

    def test_who_says_so_waits_less(self, new_spool: MakeSpool) -> None:
        log = new_spool(self.LIMIT, "block")
        with room.waited_for(0.3), pytest.raises(StepwellException, match="reached its limit"):
            fill(log, 6_000)
        with ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(fill, log, 1)
            with pytest.raises(TimeoutError):
                waiting.result(0.3)
            log.remove_below(len(all_steps(reader(log))))
            waiting.result(60)

    def test_where_the_process_is_to_end_calls_that_wait_raise(
        self, new_spool: MakeSpool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(room, "_ends_s", math.inf)
        log = new_spool(self.LIMIT, "block")
        with ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(fill, log, 6_000)
            with pytest.raises(TimeoutError):
                waiting.result(0.3)
            room.give_up_in(0.1)
            with pytest.raises(StepwellException, match="reached its limit"):
                waiting.result(60)

    def test_a_full_disk_is_the_same(self, new_spool: MakeSpool, monkeypatch: pytest.MonkeyPatch) -> None:
        log = new_spool()

        def no_room(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "writev", no_room)
        with pytest.raises(StepwellException, match=r"disk of .* is full"):
            fill(log, LONG)
        monkeypatch.undo()
        log.append_point(log.number_of("loss"), -1, 0, 0.0)
        assert all_steps(reader(log))[-1] == -1


class TestDamage:
    """What is readable is delivered, what is not is counted and named."""

    def test_a_cut_segment(self, log: Spool) -> None:
        fill(log, 2_000)
        os.truncate(log.folder / segment_name(0, FIRST_SEGMENT_RECORDS), RECORD_BYTES * 100 + 5)
        dead = reader(log, alive=False)
        dead.find_missing(0)
        assert all_steps(dead) == [*range(100), *range(FIRST_SEGMENT_RECORDS, 2_000)]
        assert dead.damage.count == FIRST_SEGMENT_RECORDS - 100
        assert "points2-" in next(iter(dead.damage)).reason

    def test_a_segment_that_is_gone(self, log: Spool) -> None:
        fill(log, 2_000)
        (log.folder / segment_name(0, FIRST_SEGMENT_RECORDS)).unlink()
        delivered, not_delivered = reader(log, alive=False), reader(log, alive=False)
        delivered.find_missing(FIRST_SEGMENT_RECORDS)
        assert not delivered.damage.count
        not_delivered.find_missing(5)
        assert [damage.count for damage in not_delivered.damage] == [FIRST_SEGMENT_RECORDS - 5]

    def test_a_broken_entry(self, log: Spool) -> None:
        for payload in (b"first", b"second", b"third"):
            log.append_entry(payload)
        path = log.folder / spool_log.log_file_name(0)
        path.write_bytes(path.read_bytes().replace(b"second", b"sEcond"))
        dead = reader(log, alive=False)
        assert [payload for _, payload in dead.read(0, ALL, ALL).entries] == [b"first", b"third"]
        assert [damage.count for damage in dead.damage] == [1]

    def test_lost_names(self, log: Spool) -> None:
        fill(log, 10)
        other = log.number_of("other")
        log.append_point(other, 99, 0, 0.0)
        path = log.folder / NAMES_FILE
        os.truncate(path, path.stat().st_size - 2)
        dead = reader(log, alive=False)
        assert all_steps(dead) == list(range(10))
        assert [damage.count for damage in dead.damage] == [1]


def test_batches_group_points_by_metric(log: Spool) -> None:
    table, live = KeyTable(), reader(log)
    for step in range(3):
        for name in ("b", "a"):
            log.append_point(log.number_of(name), step, 10 * step * NS_PER_MS, float(step))
    batch, records, more = read_batch(live, 0, table)
    assert (records, more) == (6, False)
    assert (batch.new_keys, batch.points.key, batch.points.count) == (["b", "a"], [0, 1], [3, 3])
    assert batch.points.step == [0, 1, 2, 0, 1, 2]
    assert batch.points.timestamp_ms == [0, 10, 20, 0, 10, 20]
    log.append_point(log.number_of("a"), 9, 9 * NS_PER_MS, 9.0)
    batch, *_ = read_batch(live, 6, table)
    assert (batch.new_keys, batch.points.key, batch.first_position, batch.end_position) == ([], [1], 6, 7)


def test_batches_stay_small_with_many_new_names(log: Spool) -> None:
    live, table, position, names = reader(log), KeyTable(), 0, []
    for number in range(5_000):
        log.append_point(log.number_of(f"{number:05}" + "𝔪" * 245), 0, 0, 0.0)
    while (cut := read_batch(live, position, table)) is not None:
        batch, *_ = cut
        assert len(batch.new_keys) <= BATCH_NEW_NAMES_MAX
        assert batch.ByteSize() < 4 * 2**20
        names += batch.new_keys
        position = batch.end_position
    assert len(set(names)) == 5_000


def test_the_record_is_as_drawn() -> None:
    assert RECORD_BYTES == struct.calcsize("<qqqqddII") == 56


def test_entries_and_arrays_travel_in_batches(log: Spool) -> None:
    log.append_entry(tag_entry("kind", "test").SerializeToString())
    log.append_array(ArrayPoints(log.number_of("loss"), np.arange(3), np.arange(3), np.arange(3) / 2))
    batch, records, _ = read_batch(reader(log), 0, KeyTable())
    assert records == 4
    assert batch.entries[0].position == 0
    assert batch.entries[0].tag.value == "test"
    assert (batch.points.step, batch.points.value) == ([0, 1, 2], [0.0, 0.5, 1.0])


def test_columns_are_points_on_the_wire() -> None:
    columns = ingest_pb2.PointColumns(
        key=[3], count=[2], step=struct.pack("<2q", -1, 2**62), timestamp_ms=struct.pack("<2q", 5, 6),
        value=struct.pack("<2d", 0.1, float("inf")),
    )  # fmt: skip
    points = ingest_pb2.Points.FromString(columns.SerializeToString())
    assert (points.step, points.timestamp_ms, points.value) == ([-1, 2**62], [5, 6], [0.1, float("inf")])


def interrupted(at: int, call: Callable[[], object]) -> bool:
    """Call, with Ctrl-C before the instruction of the spool with this number; tells whether there are so many."""
    left = at

    def trace(frame: Any, event: str, _: object) -> Any:
        nonlocal left
        if "/stepwell/spool/" not in frame.f_code.co_filename:
            return None
        frame.f_trace_opcodes = True
        left -= event == "opcode"
        if left < 0:
            sys.settrace(None)
            raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


def test_an_interrupt_harms_nothing_but_what_it_interrupts(tmp_path: Path) -> None:
    def log_something(name: str) -> None:
        log.append_entry(name.encode())
        log.append_point(log.number_of(name), 1, NS_PER_MS, 2.0)

    for at in itertools.count():
        (folder := tmp_path / str(at)).mkdir()
        log = Spool(folder, SpoolLimits(2**30, "raise"), None)
        log_something("before")
        is_interrupted = interrupted(at, lambda: log_something("this one"))
        log_something("after")
        log_something("later")
        of = reader(log, alive=False)
        entries, names = [], []
        position = 0
        while (piece := of.read(position, ALL, ALL)) is not None:
            position = piece.end_position
            assert not piece.damaged
            entries += [payload for _, payload in piece.entries]
            names += [of.name_of(number) for number in piece.numbers.tolist()]
        for found, certain in (
            (entries, [b"before", b"after", b"later"]),
            (names, ["before", "after", "later"]),
        ):
            assert [one for one in found if one in certain] == certain
            assert len(found) <= 4
        log.close()
        if not is_interrupted:
            assert at > 100
            break
