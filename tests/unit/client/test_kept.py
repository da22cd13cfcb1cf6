"""Steps that are kept for a moment: every one is written once, by whoever comes first, with its own time."""

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from stepwell.delivery import kept as keeping
from stepwell.delivery.kept import POINTS_OF_A_STEP_MAX, STEPS_MAX, Kept
from stepwell.errors import StepwellException
from stepwell.spool.log import Spool, SpoolLimits
from stepwell.spool.reader import SpoolReader
from stepwell.spool.records import NS_PER_MS
from stepwell.wire import background

WAIT_S = 30.0


@pytest.fixture
def late() -> list[tuple[str, int]]:
    """What came when the spool was sealed: names and steps."""
    return []


@pytest.fixture
def spool(tmp_path: Path, late: list[tuple[str, int]]) -> Spool:
    return Spool(tmp_path, SpoolLimits(2**30, "raise"), lambda name, step, *_: late.append((name, step)))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
    """What the thread is asked to do, which never does it."""
    found: list[Callable[[], object]] = []
    monkeypatch.setattr(background, "call_soon", lambda it: found.append(it) or True)
    return found


def points(spool: Spool) -> list[tuple[int, int, float]]:
    """Return steps, times and values of what is written."""
    reader, position, found = SpoolReader(spool.folder, alive=True), 0, []
    while (piece := reader.read(position, 10**6, 0)) is not None:
        position = piece.end_position
        found += zip(piece.steps.tolist(), piece.timestamps_ms.tolist(), piece.values.tolist(), strict=True)
    return found


def step(spool: Spool, number: int, value: Any = 0.5) -> tuple[Any, ...]:
    values = value if hasattr(value, "tolist") else (value,)
    return (spool.number_of("loss"),), number, number * NS_PER_MS, values


def test_what_is_kept_is_written_by_whoever_asks(spool: Spool, asked: list[Any]) -> None:
    kept = Kept(spool)
    for number in range(3):
        kept.keep(step(spool, number))
    assert (points(spool), len(asked)) == ([], 1)
    kept.write()
    assert [it[0] for it in points(spool)] == [0, 1, 2]
    kept.keep(step(spool, 3))
    assert len(asked) == 2
    kept.write()
    assert points(spool)[3] == (3, 3, 0.5)  # when it was measured


def test_a_step_that_is_not_quick_or_large_is_written_at_once(spool: Spool, asked: list[Any]) -> None:
    kept, apart = Kept(spool), keeping.QUICK_STEP_NS
    loss = (spool.number_of("loss"),)
    for number, time_ns in enumerate((apart, 2 * apart, 3 * apart - 1), start=1):
        kept.append(loss, number, time_ns, [0.5])
    assert [it[0] for it in points(spool)] == [1, 2]
    many = POINTS_OF_A_STEP_MAX + 1
    kept.append(many * loss, 4, 3 * apart, many * [0.5])
    assert [it[0] for it in points(spool)[2:]] == many * [4]
    kept.write()
    assert points(spool)[-1][0] == 3
    with pytest.raises(StepwellException, match="64-bit"):
        kept.append(loss, 2**63, 5 * apart, [0.5])


def test_steps_come_alone_until_something_else_is_logged(spool: Spool, asked: list[Any]) -> None:
    kept, apart = Kept(spool), keeping.QUICK_STEP_NS
    loss = (spool.number_of("loss"),)

    def asked_after(*apart_ns: int) -> bool:
        for each in apart_ns:
            kept.append(2 * loss, 1, each, [0.5, 0.5])
        return kept.came_alone()

    assert not asked_after()
    assert not asked_after(apart)  # one alone is nothing to wait for others with
    assert asked_after(2 * apart, 3 * apart)
    assert asked_after(4 * apart, 5 * apart)
    assert not asked_after(5 * apart + 1, 5 * apart + 2)  # kept: not written yet
    kept.write()
    assert asked_after()
    spool.append_point(loss[0], 1, 0, 0.5)
    assert not asked_after(7 * apart, 8 * apart)
    assert asked_after(9 * apart, 10 * apart)


def test_the_thread_writes_it_by_itself(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "KEPT_S", 0.0)
    background.spawn(nothing()).result(WAIT_S)
    kept = Kept(spool)
    for number in range(2):  # again, when all was written
        kept.keep(step(spool, number))
        moment = time.monotonic() + WAIT_S
        while len(points(spool)) <= number and time.monotonic() < moment:
            time.sleep(0.01)
    assert [it[0] for it in points(spool)] == [0, 1]


async def nothing() -> None:
    """Have the thread begin."""


def test_without_a_thread_nothing_is_kept(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "call_soon", lambda _: False)
    kept = Kept(spool)
    kept.keep(step(spool, 7))
    assert [it[0] for it in points(spool)] == [7]


def test_so_many_are_kept_at_most_and_each_is_written_once(spool: Spool, asked: list[Any]) -> None:
    kept = Kept(spool)
    for number in range(STEPS_MAX):
        kept.keep(step(spool, number))
    assert len(points(spool)) == STEPS_MAX

    def several(first: int) -> None:
        for number in range(first, first + 2_000):
            kept.keep(step(spool, number))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(several, range(10_000, 90_000, 20_000)))
    kept.write()
    found = [it[0] for it in points(spool)]
    assert len(found) == len(set(found)) == STEPS_MAX + 8_000


def test_what_comes_when_the_log_has_ended_goes_to_the_next_one(
    spool: Spool, asked: list[Any], late: list[tuple[str, int]]
) -> None:
    kept = Kept(spool)
    kept.keep(step(spool, 1))
    kept.close()
    assert [it[0] for it in points(spool)] == [1]
    spool.seal()
    kept.keep(step(spool, 2))
    assert late == [("loss", 2)]


def test_what_cannot_be_written_is_told_once_and_holds_up_no_other(
    spool: Spool, asked: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        def tolist(self) -> list[float]:
            raise RuntimeError("the device is gone")

    class Whole:
        def tolist(self) -> list[float]:
            return [1.5]

    kept = Kept(spool)
    for value in (Broken(), Whole(), Broken()):
        kept.keep(step(spool, 4, value))
    with caplog.at_level(logging.WARNING, logger="stepwell"):
        kept.write()
    assert caplog.text.count("the device is gone") == 1
    assert points(spool) == [(4, 4, 1.5)]
