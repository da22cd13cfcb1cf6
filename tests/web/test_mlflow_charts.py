"""Charts over REST come from memory as long as nothing changed, whoever has changed it, and through which server."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import grpc.aio
import pytest

from stepwell_server.app import RunningServer
from stepwell_server.model.series import EVERYTHING, SeriesName
from stepwell_server.store.ingest.rewinds import PostgresRewindStore
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.upkeep.garbage import GarbageStore
from stepwell_server.web.mlflow import metrics
from stepwell_server.web.mlflow.remembered import PART_BYTES, Asked, Part, Remembered
from tests.harness.network.rest import Rest
from tests.harness.store.stored_logs import StoredLog
from tests.wire.test_ingest import batch_message, opened

INTERVAL = "metrics/get-history-bulk-interval"


@pytest.fixture
def rest(server: RunningServer) -> Rest:
    return Rest(server.http_url)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The runs whose points were written as JSON, again and again."""
    runs: list[str] = []
    real = metrics.points_text

    def counted(key: str, points: Any, run_id: str | None = None) -> bytes:
        runs.append(str(run_id))
        return real(key, points, run_id)

    monkeypatch.setattr(metrics, "points_text", counted)
    return runs


async def steps(rest: Rest, *run_ids: str, wanted: int = 3, **bounds: int) -> list[list[int]]:
    """The steps of a chart, run by run."""
    query = {"run_ids": run_ids, "metric_key": "loss", "max_results": wanted, **bounds}
    found = (await rest.get(INTERVAL, **query)).get("metrics", [])
    return [[it["step"] for it in found if it["run_id"] == run_id] for run_id in run_ids]


def point(step: int) -> dict[str, Any]:
    return {"key": "loss", "value": step / 3, "timestamp": 1_000 + step, "step": step}


async def test_a_chart_is_never_out_of_date(
    rest: Rest, other: Rest, channel: grpc.aio.Channel, pool: Pool, written: list[str]
) -> None:
    run, still = await rest.new_run(), await rest.new_run()
    for run_id in (run, still):
        await rest.post("runs/log-batch", {"run_id": run_id, "metrics": [point(step) for step in range(10)]})
    begun = [0, 4, 9]
    for _ in range(3):
        for server in (rest, other):
            assert await steps(server, run, still) == [begun, begun]
    assert written == [run, still] * 4

    async def seen(expected: list[int]) -> None:
        """Both servers see it at once, and read only what changed."""
        written.clear()
        for server in (rest, other, rest, other):
            assert await steps(server, run, still) == [expected, begun]
        assert written == [run] * 2

    await other.post("runs/log-metric", {"run_id": run, **point(10)})
    await seen([0, 4, 10])
    stream = await opened(channel, run)
    await stream.say(batch_message(0, [20]))
    await stream.until(1)
    await seen([0, 4, 20])
    await StoredLog(pool, UUID(hex=run)).commit({"other": [(1, 1, 0.5)], "loss": [(-1, 1, 0.5)]})
    await seen([-1, 4, 20])
    await PostgresRewindStore(pool).rewind(UUID(hex=run), 6)
    await seen([-1, 2, 5])
    for change in ("delete", "restore"):
        await other.post(f"runs/{change}", {"run_id": run})
        assert await steps(rest, run, still) == [[-1, 2, 5], begun]
    garbage = GarbageStore(pool)
    await rest.post("runs/delete", {"run_id": run})
    assert await garbage.begin(UUID(hex=run))
    async for _ in garbage.remove_points(UUID(hex=run)):
        pass
    await garbage.remove_rest(UUID(hex=run))
    for server in (rest, other):
        assert await steps(server, run, still) == [[], begun]


async def test_other_questions_have_other_answers(rest: Rest, written: list[str]) -> None:
    run = await rest.new_run()
    await rest.post("runs/log-batch", {"run_id": run, "metrics": [point(step) for step in range(10)]})
    for _ in range(3):
        assert await steps(rest, run, wanted=2) == [[0, 9]]
        assert await steps(rest, run, wanted=4) == [[0, 3, 6, 9]]
        assert await steps(rest, run, wanted=2, start_step=3, end_step=7) == [[3, 7]]
        assert await steps(rest, run.upper(), run, wanted=2) == [[], [0, 9]]
        assert await rest.get(INTERVAL, run_ids=[run], metric_key="other", max_results=2) == {}
    assert written == [run] * 6


async def test_overlapping_series_are_remembered_too(
    rest: Rest, pool: Pool, written: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They have to be read as a whole, which takes room, and is all the more worth remembering."""
    taken: list[Any] = []
    real = metrics._room_for_points
    monkeypatch.setattr(metrics, "_room_for_points", lambda message: taken.append(1) or real(message))
    run, simple = await rest.new_run(), await rest.new_run()
    await rest.post("runs/log-metric", {"run_id": simple, **point(1)})
    assert (await steps(rest, simple), taken) == ([[1]], [])
    written.clear()
    logs = [StoredLog(pool, UUID(hex=run), rank) for rank in range(2)]
    for rank, log in enumerate(logs):
        await log.commit({"loss": [(step, step, 1.0) for step in range(rank, 20, 2)]})
    assert [await steps(rest, run) for _ in range(3)] == [[[0, 7, 19]]] * 3
    assert (written, len(taken)) == ([run] * 2, 2)
    await logs[0].commit({"loss": [(30, 30, 1.0)]})
    assert await steps(rest, run) == [[0, 7, 30]]


async def test_a_chart_while_it_is_written(rest: Rest, other: Rest) -> None:
    """What a call has answered is seen by every chart that is asked for after that."""
    run = await rest.new_run()

    async def write(server: Rest, first: int) -> None:
        for step in range(first, first + 40, 2):
            await server.post("runs/log-metric", {"run_id": run, **point(step)})
            found = await asyncio.gather(*(steps(it, run, wanted=1_000) for it in (rest, other)))
            assert all(step in chart for (chart,) in found)

    await asyncio.gather(write(rest, 0), write(other, 1))
    assert await steps(rest, run, wanted=1_000) == await steps(other, run, wanted=1_000) == [list(range(40))]


def test_what_was_not_asked_for_longest_is_forgotten() -> None:
    asked = [Asked(SeriesName(uuid4(), "loss"), EVERYTHING, 10) for _ in range(4)]
    part = Part(b"mark", b"x" * 500)
    remembered = Remembered(3 * (PART_BYTES + 500))
    for it in asked[:3] * 2:
        remembered.put(it, part)
    remembered.put(asked[1], part)
    assert remembered.get(asked[0]) == part
    remembered.put(asked[3], part)
    assert remembered.get(asked[3]) is None  # it was asked for once
    remembered.put(asked[3], part)
    assert [remembered.get(it) for it in asked] == [part, part, None, part]
