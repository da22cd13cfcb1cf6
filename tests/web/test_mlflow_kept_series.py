"""Charts over REST of ever other points of the same series: read as a whole once, and never out of date."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest

from stepwell_server.app import RunningServer
from stepwell_server.model.series import INT64_MAX, INT64_MIN, History, Selection, SeriesName, thinned_places
from stepwell_server.store.ingest.rewinds import PostgresRewindStore
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.series import thinning
from stepwell_server.web.mlflow import histories, kept
from stepwell_server.web.mlflow.kept import (
    ENTRY_BYTES,
    IDLE_S,
    SERIES_BYTES_MAX,
    SERIES_POINTS_MAX,
    Kept,
    NarrowHistory,
    WholeSeries,
)
from tests.harness.network.rest import Rest
from tests.harness.store.stored_logs import StoredLog

INTERVAL = "metrics/get-history-bulk-interval"
EVERYWHERE = Selection()


@pytest.fixture
def rest(server: RunningServer) -> Rest:
    return Rest(server.http_url)


@pytest.fixture
def looked_for(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The runs of which the database had to find points, again and again."""
    runs: list[str] = []
    real = thinning._thin

    async def counted(snapshots: Any, names: Sequence[SeriesName], *others: Any) -> Any:
        runs.extend(name.run_id.hex for name in names)
        return await real(snapshots, names, *others)

    monkeypatch.setattr(thinning, "_thin", counted)
    return runs


async def chart(rest: Rest, run_id: str, wanted: int, **bounds: int) -> list[tuple[int, int, float]]:
    query = {"run_ids": [run_id], "metric_key": "loss", "max_results": wanted, **bounds}
    found = (await rest.get(INTERVAL, **query)).get("metrics", [])
    return [(it["step"], it["timestamp"], float(it["value"])) for it in found]


Points = list[tuple[int, int, float]]


def expected(points: Points, wanted: int, low: int = INT64_MIN, high: int = INT64_MAX) -> Points:
    within = [it for it in points if low <= it[0] <= high]
    return [within[place] for place in thinned_places(len(within), wanted).tolist()]


async def test_ever_other_points_are_those_of_the_run_as_it_is(
    rest: Rest, pool: Pool, looked_for: list[str]
) -> None:
    run = await rest.new_run()
    log = StoredLog(pool, UUID(hex=run))
    points = [(step, 1_000 + 7 * step, step / 3) for step in range(0, 2_000, 2)]
    await log.commit({"loss": points})
    wanted = iter(range(100, 200))

    async def seen(points: Points, *, asking: int) -> None:
        """Two answers later the database is asked no more, whatever is wanted."""
        looked_for.clear()
        for number in range(6):
            more = next(wanted)
            assert await chart(rest, run, more) == expected(points, more)
            low, high = 100 + number, 1_501 + number
            found = await chart(rest, run, more, start_step=low, end_step=high)
            assert found == expected(points, more, low, high)
        assert looked_for == [run] * asking
        assert await chart(rest, run, 5, start_step=3_001, end_step=3_001) == []

    await seen(points, asking=2)
    points += [(2_000, 90_000, float("inf")), (2_003, 90_001, 0.1)]
    await log.commit({"loss": points[-2:]})
    await seen(points, asking=2)
    points = [(-5, 1, 2.5), *points]
    await StoredLog(pool, UUID(hex=run), 1).commit({"loss": points[:1]})
    await seen(points, asking=2)
    await PostgresRewindStore(pool).rewind(UUID(hex=run), 1_000)
    await seen([it for it in points if it[0] < 1_000], asking=2)
    await rest.post("runs/delete", {"run_id": run})
    await rest.post("runs/restore", {"run_id": run})
    await seen([it for it in points if it[0] < 1_000], asking=0)


async def test_writers_that_lie_over_each_other_are_read_twice_and_not_for_each_chart(
    rest: Rest, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[int] = []
    real = histories.Histories._pieces

    def counted(self: Any, names: Sequence[SeriesName], *others: Any) -> Any:
        reads.append(len(names))
        return real(self, names, *others)

    monkeypatch.setattr(histories.Histories, "_pieces", counted)
    run = await rest.new_run()
    for rank in range(2):
        points = [(step, step, step / 3) for step in range(rank, 400, 2)]
        await StoredLog(pool, UUID(hex=run), rank).commit({"loss": points})
    every = [(step, step, step / 3) for step in range(400)]
    for wanted in range(10, 20):
        assert await chart(rest, run, wanted) == expected(every, wanted)
    assert len(reads) == 2


async def test_a_series_that_is_too_long_is_tried_once(
    rest: Rest, pool: Pool, looked_for: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(histories, "SERIES_POINTS_MAX", 100)
    monkeypatch.setattr(kept, "SERIES_POINTS_MAX", 100)
    monkeypatch.setattr("stepwell_server.store.series.histories.PIECE_POINTS_MAX", 90)
    run = await rest.new_run()
    points = [(step, step, step / 3) for step in range(300)]
    await StoredLog(pool, UUID(hex=run)).commit({"loss": points})
    for wanted in range(10, 16):
        assert await chart(rest, run, wanted) == expected(points, wanted)
    assert looked_for == [run] * 6


@pytest.mark.parametrize(
    ("steps", "is_even"),
    [
        ([7], True),
        ([5, 8, 11, 14], True),
        ([5, 5, 5], False),
        ([0, 1, 3], False),
        ([INT64_MIN, -1, INT64_MAX - 1], True),
        ([INT64_MIN, INT64_MAX], False),
        ([INT64_MIN, 0, 5, INT64_MAX], False),
    ],
)
@pytest.mark.parametrize("times", [[0], [5, 4, 3, 300], [INT64_MAX, INT64_MIN], [70_000, 0]])
@pytest.mark.parametrize("values", [[0.5], [0.1, 1.0], [float("nan"), float("-inf")], [1e300, 1e-300]])
def test_narrow_columns_lose_nothing(
    steps: list[int], is_even: bool, times: list[int], values: list[float]
) -> None:
    count = len(steps)
    points = History(
        np.array(steps), np.resize(np.array(times), count), np.resize(np.array(values, float), count)
    )
    narrow = NarrowHistory.of(points)
    assert isinstance(narrow.steps, range) is is_even
    for low in (INT64_MIN, *steps):
        for high in (*steps, INT64_MAX):
            for wanted in (1, 2, 10):
                within = [number for number, step in enumerate(steps) if low <= step <= high]
                places = [within[place] for place in thinned_places(len(within), wanted).tolist()]
                found = narrow.thinned(Selection(step_from=low, step_to=high), wanted)
                np.testing.assert_array_equal(found.steps, points.steps[places])
                np.testing.assert_array_equal(found.timestamps_ms, points.timestamps_ms[places])
                np.testing.assert_array_equal(found.values, points.values[places])


def test_even_series_of_single_precision_take_six_bytes_a_point() -> None:
    count = 1_000
    steps = np.arange(count) * 10
    narrow = NarrowHistory.of(History(steps, 1_700_000_000_000 + steps, np.arange(count) / 4))
    assert narrow.nbytes == 6 * count


class Clock:
    """Seconds that a test lets pass."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def full(mark: bytes = b"mark") -> WholeSeries:
    """A series that takes as much as any."""
    random = np.random.default_rng(1)
    steps = random.integers(-(2**62), 2**62, SERIES_POINTS_MAX)
    points = NarrowHistory.of(History(np.sort(steps), steps, random.standard_normal(SERIES_POINTS_MAX)))
    assert points.nbytes == SERIES_BYTES_MAX
    return WholeSeries(mark, points)


def test_what_is_looked_at_stays_and_what_is_idle_makes_room() -> None:
    clock, series = Clock(), full()
    memory = Kept(2 * SERIES_BYTES_MAX + 10 * ENTRY_BYTES, clock)
    names = [SeriesName(uuid4(), "loss") for _ in range(4)]

    def asked(name: SeriesName, mark: bytes = b"mark") -> bool:
        """Ask as charts do; tells whether the series was read as a whole."""
        if memory.get(name) is not None:
            return False
        is_worth_it = memory.is_worth_it(name, mark)
        if is_worth_it:
            memory.keep(name, full(mark) if mark != b"mark" else series)
        return is_worth_it

    assert [asked(name) for name in names] == [False] * 4
    assert [asked(name) for name in names] == [True, True, False, False]
    assert [asked(name) for name in names] == [False] * 4
    clock.now_s = IDLE_S - 1
    assert [asked(name) for name in (names[1], names[2])] == [False] * 2
    clock.now_s = IDLE_S + 1
    assert [asked(name) for name in (names[2], names[3])] == [True, False]
    assert [memory.get(name) is not None for name in names] == [False, True, True, False]
    assert [memory.is_worth_it(names[1], b"new") for _ in range(3)] == [False, True, False]
    assert memory.get(names[1]) is None  # it has changed
    for number in range(3_000):
        memory.is_worth_it(SeriesName(uuid4(), str(number)), b"mark")
    assert memory._bytes <= 2 * SERIES_BYTES_MAX + 10 * ENTRY_BYTES
    assert memory._bytes == sum(entry.nbytes for entry in memory._entries.values())
