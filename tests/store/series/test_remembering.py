"""Thinned series that were asked for before come from memory, as long as nothing changed."""

from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from stepwell_server.model.series import EVERYTHING, History, Selection, SeriesName
from stepwell_server.store.ingest.rewinds import PostgresRewindStore
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.series import thinning
from stepwell_server.store.series.histories import PostgresSeriesStore
from stepwell_server.store.series.remembered import POINT_BYTES, SERIES_BYTES, Remembered, Thinning
from tests.harness.stored_logs import StoredLog, new_run


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[SeriesName]:
    """The series that were read, again and again."""
    names: list[SeriesName] = []
    real = thinning._thin

    async def counted(connection: Any, series: Any, *how: Any) -> Any:
        names.extend(series)
        return await real(connection, series, *how)

    monkeypatch.setattr(thinning, "_thin", counted)
    return names


async def test_only_what_changed_is_read_again(pool: Pool, read: list[SeriesName]) -> None:
    logs = [StoredLog(pool, await new_run(pool)) for _ in range(2)]
    for log in logs:
        await log.commit({"loss": [(step, step, step / 2) for step in range(100)]})
    names = [SeriesName(log.run_id, "loss") for log in logs]
    store = PostgresSeriesStore(pool)

    async def steps(selection: Selection = EVERYTHING) -> list[list[int]]:
        return [points.steps.tolist() for points in await store.thinned(names, selection, 4)]

    assert await steps() == await steps() == [[0, 25, 50, 99]] * 2
    assert read == names
    assert await steps(Selection(step_from=60)) == [[60, 70, 80, 99]] * 2
    read.clear()
    await logs[1].commit({"loss": [(100, 100, 1.0)]})
    assert await steps() == [[0, 25, 50, 99], [0, 26, 51, 100]]
    assert read == names[1:]
    await PostgresRewindStore(pool).rewind(logs[0].run_id, 40)
    assert await steps() == [[0, 10, 20, 39], [0, 26, 51, 100]]
    assert read == [names[1], names[0]]
    assert [await store.thinned(names, Selection(time_from_ms=50), 4)] == [[None, None]]


def test_what_was_not_asked_for_longest_is_forgotten() -> None:
    column = np.arange(10)
    points = History(column, column, column / 2)
    asked = [Thinning(SeriesName(uuid4(), "loss"), 0, 1, 10) for _ in range(4)]
    remembered = Remembered(3 * (SERIES_BYTES + 10 * POINT_BYTES))
    for it in asked[:3]:
        remembered.put(it, b"mark", points)
    remembered.put(asked[1], b"mark", points)
    assert remembered.get(asked[0], b"mark") is not None
    remembered.put(asked[3], b"mark", points)
    assert [remembered.get(it, b"mark") is not None for it in asked] == [True, True, False, True]
    assert remembered.get(asked[0], b"other") is None
    assert remembered.get(asked[0], None) is None
