"""Steps that are kept for a moment: every one is written once, by whoever comes first, with its own time."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import pytest

from stepwell.delivery import kept as keeping
from stepwell.delivery.kept import POINTS_OF_A_STEP_MAX, STEPS_MAX, Kept
from stepwell.spool.log import Spool, SpoolLimits
from stepwell.spool.reader import SpoolReader
from stepwell.spool.records import NS_PER_MS
from stepwell.wire import background
from tests.harness.network.faults import until

WAIT_S = 30.0


@pytest.fixture
def late() -> list[tuple[str, int]]:
    """What came when the spool was sealed: names and steps."""
    return []


@pytest.fixture
def spool(tmp_path: Path, late: list[tuple[str, int]]) -> Spool:
    return Spool(tmp_path, SpoolLimits(2**30, "raise"), lambda name, step, *_: late.append((name, step)))


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Threads that were to begin, and never do."""
    found: list[object] = []

    def thread(**given: object) -> SimpleNamespace:
        return SimpleNamespace(start=lambda: found.append(given))

    monkeypatch.setattr(keeping, "threading", SimpleNamespace(RLock=threading.RLock, Thread=thread))
    return found


def points(spool: Spool) -> list[tuple[int, int, float]]:
    """Return steps, times and values of what is written."""
    reader, position, found = SpoolReader(spool.folder, alive=True), 0, []
    while (piece := reader.read(position, 10**6, 0)) is not None:
        position = piece.end_position
        found += zip(piece.steps.tolist(), piece.timestamps_ms.tolist(), piece.values.tolist(), strict=True)
    return found


def write(spool: Spool, measured: Any, step: int, at_ns: int) -> int:
    numbers = [spool.number_of(name) for name in measured]
    spool.append_points(numbers, step, at_ns, measured.values())
    return len(measured)


def keep(kept: Kept, number: int) -> None:
    kept.keep(write, {"loss": 0.5}, number, number * NS_PER_MS)


def test_what_is_kept_is_written_by_whoever_asks(spool: Spool, begun: list[object]) -> None:
    kept = Kept(spool)
    for number in range(3):
        keep(kept, number)
    assert (points(spool), len(begun)) == ([], 1)
    kept.write()
    assert [it[0] for it in points(spool)] == [0, 1, 2]
    keep(kept, 3)
    assert len(begun) == 1  # it goes on
    kept.write()
    assert points(spool)[3] == (3, 3, 0.5)  # when it was measured


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets the time at which a step comes, in nanoseconds."""
    return lambda at_ns: monkeypatch.setattr(keeping, "time_ns", lambda: at_ns)


def test_a_step_that_is_not_quick_or_large_is_written_at_once(
    spool: Spool, begun: list[object], at: Callable[[int], None]
) -> None:
    kept, apart = Kept(spool), keeping.QUICK_STEP_NS
    measured = {"loss": 0.5}
    for number, at_ns in enumerate((apart, 2 * apart, 3 * apart - 1), start=1):
        at(at_ns)
        kept.append(write, measured, number)
    assert [it[0] for it in points(spool)] == [1, 2]
    many = {f"loss {number}": 0.5 for number in range(POINTS_OF_A_STEP_MAX + 1)}
    kept.append(write, many, 4)
    assert [it[0] for it in points(spool)[2:]] == len(many) * [4]
    measured["loss"] = 1.5  # others may write over what they measured
    kept.write()
    assert points(spool)[-1] == (3, (3 * apart - 1) // NS_PER_MS, 0.5)


def test_steps_come_alone_until_something_else_is_logged(
    spool: Spool, begun: list[object], at: Callable[[int], None]
) -> None:
    kept, apart = Kept(spool), keeping.QUICK_STEP_NS

    def asked_after(*times_ns: int) -> bool:
        for at_ns in times_ns:
            at(at_ns)
            kept.append(write, {"loss": 0.5, "mae": 0.5}, 1)
        return kept.came_alone()

    assert not asked_after()
    assert not asked_after(apart)  # one alone is nothing to wait for others with
    assert asked_after(2 * apart, 3 * apart)
    assert asked_after(4 * apart, 5 * apart)
    assert not asked_after(5 * apart + 1, 5 * apart + 2)  # kept: not written yet
    kept.write()
    assert asked_after()
    spool.append_point(spool.number_of("own"), 1, 0, 0.5)
    assert not asked_after(7 * apart, 8 * apart)
    assert asked_after(9 * apart, 10 * apart)


def test_a_thread_writes_it_while_steps_come_and_another_one_when_they_come_again(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: SimpleQueue[float] = SimpleQueue()
    monkeypatch.setattr(keeping, "sleep", lambda pause_s: pauses.get(timeout=WAIT_S) or pause_s)
    kept, by = Kept(spool), []

    def write_noted(*given: Any) -> int:
        by.append(threading.current_thread())
        return write(*given)

    for number in range(4):
        kept.keep(write_noted, {"loss": 0.5}, number, number * NS_PER_MS)
        pauses.put(keeping.KEPT_S)
        until(lambda number=number: len(points(spool)) > number)
        if number == 1:
            pauses.put(keeping.KEPT_S)  # and nothing has come
            by[0].join(WAIT_S)
    assert [it[0] for it in points(spool)] == [0, 1, 2, 3]
    assert by[0] is by[1] is not by[2] is by[3]
    pauses.put(keeping.KEPT_S)
    by[3].join(WAIT_S)


def test_a_step_that_comes_while_the_thread_ends_is_written(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Steps(deque[Any]):
        def __bool__(self) -> bool:
            """Tell that there are none, and have one."""
            if not len(self) and not points(spool):
                keep(kept, 7)
                return False
            return len(self) > 0

    monkeypatch.setattr(keeping, "sleep", lambda _: None)
    kept = Kept(spool)
    kept._is_awaited, kept._steps = True, Steps()
    kept._serve()
    assert [it[0] for it in points(spool)] == [7]


def test_in_a_fork_nothing_is_kept(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "is_fork", lambda: True)
    kept = Kept(spool)
    keep(kept, 7)
    assert [it[0] for it in points(spool)] == [7]


def test_at_the_end_of_the_process_nothing_is_kept(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    kept = Kept(spool)
    for number in range(2):
        keep(kept, number)
        assert len(points(spool)) == number + 1


def test_so_many_are_kept_at_most_and_each_is_written_once(spool: Spool, begun: list[object]) -> None:
    kept = Kept(spool)
    for number in range(STEPS_MAX):
        keep(kept, number)
    assert len(points(spool)) == STEPS_MAX

    def several(first: int) -> None:
        for number in range(first, first + 2_000):
            keep(kept, number)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(several, range(10_000, 90_000, 20_000)))
    kept.write()
    found = [it[0] for it in points(spool)]
    assert len(found) == len(set(found)) == STEPS_MAX + 8_000


def test_what_comes_when_the_log_has_ended_goes_to_the_next_one(
    spool: Spool, begun: list[object], late: list[tuple[str, int]]
) -> None:
    kept = Kept(spool)
    keep(kept, 1)
    kept.close()
    assert [it[0] for it in points(spool)] == [1]
    spool.seal()
    keep(kept, 2)
    assert late == [("loss", 2)]
