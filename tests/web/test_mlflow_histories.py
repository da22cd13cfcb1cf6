"""Histories over REST, compared with what a list of the points says."""

import math
import random
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest

from stepwell_server.app import RunningServer
from stepwell_server.model.series import History, thinned_places
from stepwell_server.store.chunks.points import selected_points
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.web.mlflow import histories
from tests.harness.network.rest import Rest
from tests.harness.store.stored_logs import StoredLog

Point = tuple[int, int, float]


@pytest.fixture
def rest(server: RunningServer) -> Rest:
    return Rest(server.http_url)


def shown(points: list[Point], key: str = "loss") -> list[dict[str, Any]]:
    return [
        {"key": key, "value": _word(value), "timestamp": time, "step": step} for step, time, value in points
    ]


def _word(value: float) -> float | str:
    return (
        value if math.isfinite(value) else {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
    )


def by_time(point: Point) -> Any:
    step, time, value = point
    return time, step, math.isnan(value), value


def by_step(point: Point) -> Any:
    step, time, value = point
    return step, time, math.isnan(value), value


def random_points(seed: int, count: int, *, rising: bool) -> list[Point]:
    chosen = random.Random(seed)
    values = [0.5, 1.0, math.nan, math.inf, -math.inf]
    points = []
    for number in range(count):
        step = chosen.randrange(count // 3)
        time = 1_000 + 10 * step if rising else chosen.randrange(1_000, 1_000 + count // 3)
        points.append((step, time, number / 4 if chosen.random() < 0.5 else chosen.choice(values)))
    return points


async def logged(rest: Rest, pool: Pool, points: list[Point]) -> str:
    """Log points in commits of any size, so that several chunks overlap."""
    run_id = await rest.new_run()
    log = StoredLog(pool, UUID(hex=run_id))
    chosen = random.Random(len(points))
    while points:
        cut = chosen.randint(1, len(points))
        await log.commit({"loss": points[:cut]})
        points = points[cut:]
    return run_id


async def pages(rest: Rest, run_id: str, size: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    query = {"run_id": run_id, "metric_key": "loss", "max_results": size}
    while True:
        answer = await rest.get("metrics/get-history", **query)
        found += answer.get("metrics", [])
        if "next_page_token" not in answer:
            return found
        assert len(answer["metrics"]) == size
        query["page_token"] = answer["next_page_token"]


@pytest.mark.parametrize("rising", [True, False])
@pytest.mark.parametrize("seed", range(3))
async def test_pages_are_the_whole_in_order_of_time(rest: Rest, pool: Pool, seed: int, rising: bool) -> None:
    points = random_points(seed, 60, rising=rising)
    run_id = await logged(rest, pool, points)
    expected = shown(sorted(points, key=by_time))
    whole = await rest.get("metrics/get-history", run_id=run_id, metric_key="loss")
    assert whole == {"metrics": expected}
    for size in (1, 2, 7, 59, 60, 61, 100_000):
        assert await pages(rest, run_id, size) == expected


async def test_a_history_too_long_to_sort_comes_in_order_of_steps(
    rest: Rest, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = random_points(9, 60, rising=False)
    run_id = await logged(rest, pool, points)
    monkeypatch.setattr(histories, "SORTED_POINTS_MAX", 20)
    # Pieces are larger in earnest; here the history has to come in several.
    monkeypatch.setattr("stepwell_server.store.series.histories.PIECE_POINTS_MAX", 8)
    expected = shown(sorted(points, key=by_step))
    assert (await rest.get("metrics/get-history", run_id=run_id, metric_key="loss"))["metrics"] == expected
    for size in (1, 7, 19, 20):
        assert await pages(rest, run_id, size) == expected


async def test_a_page_reads_of_the_history_what_it_shows(
    rest: Rest, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = [(step, step, float(step)) for step in range(400)]
    run_id = await rest.new_run()
    log = StoredLog(pool, UUID(hex=run_id))
    for start in range(0, 400, 10):
        await log.commit({"loss": points[start : start + 10]})
    read = 0

    def counted(*arguments: Any) -> History:
        nonlocal read
        found = selected_points(*arguments)
        read += len(found)
        return found

    monkeypatch.setattr("stepwell_server.store.series.histories.selected_points", counted)
    monkeypatch.setattr(histories, "SORTED_POINTS_MAX", 100)
    query = {"run_id": run_id, "metric_key": "loss", "max_results": 20}
    # Whether a history has to be sorted is not known before as many points are read as would be.
    for shown_before, read_max in ((0, 120), (20, 60), (40, 60), (60, 60)):
        read = 0
        answer = await rest.get("metrics/get-history", **query)
        assert answer["metrics"] == shown(points[shown_before : shown_before + 20])
        assert 20 < read <= read_max
        query["page_token"] = answer["next_page_token"]


async def test_points_that_come_between_pages_repeat_nothing(rest: Rest, pool: Pool) -> None:
    points = [(step, step, 1.0) for step in range(10)]
    run_id = await logged(rest, pool, points)
    first = await rest.get("metrics/get-history", run_id=run_id, metric_key="loss", max_results=4)
    await StoredLog(pool, UUID(hex=run_id)).commit({"loss": [(0, 0, 5.0), (20, 20, 1.0)]})
    token = first["next_page_token"]
    rest_of_it = await rest.get(
        "metrics/get-history", run_id=run_id, metric_key="loss", max_results=50, page_token=token
    )
    assert first["metrics"] + rest_of_it["metrics"] == shown([*points, (20, 20, 1.0)])


@pytest.mark.parametrize("token", ["x", "s.", "t.", "s.x", "t.WyJoaXN0b3J5IiwgMCwgM10=", "u.WyJh"])
async def test_a_token_of_others_is_refused(rest: Rest, token: str) -> None:
    run_id = await rest.new_run()
    query = {"run_id": run_id, "metric_key": "loss", "max_results": 4, "page_token": token}
    assert (await rest.refused("GET", "metrics/get-history", query))[:2] == (400, "INVALID_PARAMETER_VALUE")


async def test_what_does_not_exist_has_no_points(rest: Rest) -> None:
    run_id = await rest.new_run()
    for unknown in (run_id, uuid4().hex, "no id"):
        assert await rest.get("metrics/get-history", run_id=unknown, metric_key="loss") == {}
        assert await rest.get("metrics/get-history", run_id=unknown, metric_key="loss", max_results=3) == {}
        assert (await rest.get("metrics/get-history-bulk", run_id=[unknown], metric_key="loss")) == {
            "metrics": []
        }
        assert await rest.get("metrics/get-history-bulk-interval", run_ids=[unknown], metric_key="loss") == {}


async def test_several_histories_at_once_in_the_order_of_the_runs(rest: Rest, pool: Pool) -> None:
    points = {
        await logged(rest, pool, own): own
        for seed in range(3)
        if (own := random_points(seed, 30, rising=True))
    }
    run_ids = [*points, uuid4().hex]
    expected = [
        {**point, "run_id": run_id}
        for run_id in points
        for point in shown(sorted(points[run_id], key=by_time))
    ]
    found = await rest.get("/ajax-api/2.0/mlflow/metrics/get-history-bulk", run_id=run_ids, metric_key="loss")
    assert found["metrics"] == expected
    found = await rest.get("metrics/get-history-bulk", run_id=run_ids, metric_key="loss", max_results=40)
    assert found["metrics"] == expected[:40]


@pytest.mark.parametrize("kept", [1_000_000, 50])
async def test_thinned_histories(rest: Rest, pool: Pool, kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some chunks overlap, some come one behind the other, evenly or not, and some are cut by the bounds."""
    monkeypatch.setattr(histories, "KEPT_POINTS_MAX", kept)
    monkeypatch.setattr("stepwell_server.store.series.histories.PIECE_POINTS_MAX", 16)
    points = {
        await logged(rest, pool, own): own
        for seed, count in ((1, 90), (2, 6), (3, 91))
        if (own := random_points(seed, count, rising=False))
    }
    even = [(step, 2**40 * (step % 2), step / 3) for step in range(0, 90, 3)]
    uneven = [(step * step, step, float(step)) for step in range(40)]
    repeated = [(step // 2, step, math.nan) for step in range(40)]
    points |= {await logged(rest, pool, own): own for own in (even, uneven, repeated)}
    run_ids = [*points, uuid4().hex, "no id"]
    for bounds in ({}, {"start_step": 5, "end_step": 20}, {"start_step": 7, "end_step": 83}):
        expected = []
        for run_id, own in points.items():
            inside = sorted(
                (it for it in own if not bounds or bounds["start_step"] <= it[0] <= bounds["end_step"]),
                key=by_step,
            )
            chosen = standing_for(inside, 10)
            expected += [{**point, "run_id": run_id} for point in shown(chosen)]
        query = {"run_ids": run_ids, "metric_key": "loss", "max_results": 10, **bounds}
        assert (await rest.get("metrics/get-history-bulk-interval", **query))["metrics"] == expected


async def test_a_chart_of_steps_that_are_further_apart_than_64_bits_can_count(rest: Rest, pool: Pool) -> None:
    run_id = await rest.new_run()
    points = [(2**62 * number, number, float(number)) for number in range(-2, 2)]
    await StoredLog(pool, UUID(hex=run_id)).commit({"loss": points})
    found = await rest.get("metrics/get-history-bulk-interval", run_ids=[run_id], metric_key="loss")
    assert found["metrics"] == [{**point, "run_id": run_id} for point in shown(points)]


def standing_for(points: list[Point], tiles: int) -> list[Point]:
    """The first point of each of NTILE's parts, by SQL's definition of NTILE, and of the last part its last point."""
    if len(points) <= tiles:
        return points
    small, larger = divmod(len(points), tiles)
    starts = [0]
    for tile in range(tiles - 1):
        starts.append(starts[-1] + small + (tile < larger))
    return [points[place] for place in [*starts[:-1], len(points) - 1]]


@pytest.mark.parametrize("size", [0, 1, 9, 10, 11, 25, 100, 101])
def test_places_of_a_thinned_history(size: int) -> None:
    points = [(step, 0, 0.0) for step in range(size)]
    expected = [step for step, _, _ in standing_for(points, 10)]
    assert thinned_places(size, 10).tolist() == expected
    assert thinned_places(size, 10).dtype == np.int64
