"""Samples over another metric equal those of plain Python over the raw points, however the histories are cut."""

import math

import numpy as np
import pytest

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.model.series import SampledSeries, SampleRequest, ValueRange, XAxis
from stepwell_server.services.series import SeriesService
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.series import histories
from stepwell_server.store.series.histories import PostgresSeriesStore
from tests.harness.store.stored_logs import Point, StoredLog, new_run

BUCKETS = 7


def expected(y: list[Point], x: list[Point], values: ValueRange) -> list[tuple[float, ...]]:
    """The sample by its definition: (first x, last x, minimum, maximum, mean, count, non-finite count)."""
    finite = [value for _, _, value in x if math.isfinite(value)]
    low = min(finite) if values.low is None else values.low
    high = max(finite) if values.high is None else values.high
    at_step = {
        step: value for step, _, value in sorted(x, key=lambda it: (*it[:2], math.isnan(it[2]), it[2]))
    }
    buckets: dict[int, list[tuple[float, float]]] = {}
    for step, _, value in y:
        at = at_step.get(step, math.nan)
        if low <= at <= high:
            number = 0 if low == high else min(int((at - low) / (high - low) * BUCKETS), BUCKETS - 1)
            buckets.setdefault(number, []).append((at, value))
    rows = []
    for _, points in sorted(buckets.items()):
        xs, inside = [at for at, _ in points], [value for _, value in points if math.isfinite(value)]
        told = (min(inside), max(inside), sum(inside) / len(inside)) if inside else (math.nan,) * 3
        rows.append((min(xs), max(xs), *told, len(points), len(points) - len(inside)))
    return rows


def rows_of(sample: SampledSeries) -> list[tuple[float, ...]]:
    columns = (sample.first_x, sample.last_x, sample.minimum, sample.maximum, sample.mean)
    return [
        tuple(float(value) for value in row)
        for row in zip(*columns, sample.count, sample.non_finite_count, strict=True)
    ]


@pytest.mark.parametrize("piece_points", [1, 3, 1_000])
@pytest.mark.parametrize("values", [ValueRange("x"), ValueRange("x", 0.2), ValueRange("x", -0.5, 0.6)])
async def test_samples_over_a_metric(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, piece_points: int, values: ValueRange
) -> None:
    monkeypatch.setattr(histories, "PIECE_POINTS_MAX", piece_points)
    chance = np.random.default_rng(piece_points)
    run_id = await new_run(pool)
    logs = [StoredLog(pool, run_id), StoredLog(pool, run_id)]
    series: dict[str, list[Point]] = {"x": [], "y": []}
    for log in logs:
        for _ in range(5):
            batch: dict[str, list[Point]] = {
                key: [
                    (int(chance.integers(0, 40)), int(chance.integers(0, 5)), float(chance.choice(some)))
                    for _ in range(12)
                ]
                for key, some in (
                    ("x", [*chance.normal(size=6), math.nan, math.inf]),
                    ("y", [*chance.normal(size=6), math.nan, -math.inf]),
                )
            }
            await log.commit(batch)
            for key, points in batch.items():
                series[key] += points
    request = SampleRequest(XAxis.METRIC, BUCKETS, values=values)
    service = SeriesService(PostgresSeriesStore(pool))
    ((number, sample),) = [it async for it in service.sample([run_id], ["gone", "y"], request)]
    assert number == 1
    np.testing.assert_allclose(rows_of(sample), expected(series["y"], series["x"], values), rtol=1e-12)


async def test_values_that_only_halves_can_measure(pool: Pool) -> None:
    run_id = await new_run(pool)
    most = 1.7e308
    x = [(0, 0, -most), (1, 0, 0.0), (2, 0, most)]
    await StoredLog(pool, run_id).commit({"x": x, "y": [(step, 0, float(step)) for step in range(3)]})
    request = SampleRequest(XAxis.METRIC, 3, values=ValueRange("x"))
    ((_, sample),) = [
        it async for it in SeriesService(PostgresSeriesStore(pool)).sample([run_id], ["y"], request)
    ]
    assert (sample.first_x.tolist(), sample.mean.tolist()) == ([-most, 0.0, most], [0.0, 1.0, 2.0])


async def test_what_is_no_range_of_values_is_said(pool: Pool) -> None:
    run_id = await new_run(pool)
    service = SeriesService(PostgresSeriesStore(pool))
    for request, said in [
        (SampleRequest(XAxis.METRIC, 3), "x_key"),
        (SampleRequest(XAxis.METRIC, 3, x_from=1, values=ValueRange("x")), "x_value_from"),
        (SampleRequest(XAxis.METRIC, 3, values=ValueRange("x", math.nan)), "finite"),
        (SampleRequest(XAxis.METRIC, 3, values=ValueRange("x", 2.0, 1.0)), "lesser one first"),
    ]:
        with pytest.raises(InvalidArgumentError, match=said):
            [it async for it in service.sample([run_id], ["y"], request)]
    unknown = SampleRequest(XAxis.METRIC, 3, values=ValueRange("never logged"))
    assert [it async for it in service.sample([run_id], ["y"], unknown)] == []
