"""Reading through the client, from a real server."""

import math
import uuid
from typing import Any

import grpc
import grpc.aio
import numpy as np
import pytest

import stepwell
from stepwell import StepwellClient, StepwellException
from stepwell_api.v1 import series_pb2 as pb
from stepwell_api.v1.series_pb2_grpc import SeriesServiceStub
from stepwell_server.app import RunningServer
from tests.harness.calls import invalid, not_found
from tests.harness.servers.processes import ServerProcess


@pytest.fixture
def client(shared_server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> StepwellClient:
    monkeypatch.setenv("STEPWELL_TRACKING_URI", shared_server.tracking_uri)
    return StepwellClient(shared_server.tracking_uri)


@pytest.fixture
def run_ids(client: StepwellClient) -> list[str]:
    """Two runs: "loss" has 1,000 points in the first and 10 in the second, which has "accuracy", too."""
    runs = [client.create_run("0").info.run_id for _ in range(2)]
    for step in range(1_000):
        client.log_metric(runs[0], "loss", step / 3, timestamp=10_000 + step, step=step)
    for step in range(10):
        client.log_metric(runs[1], "loss", math.nan, timestamp=20_000, step=-step)
        client.log_metric(runs[1], "accuracy", step, timestamp=20_000 + step, step=2**62 + step)
    return runs


def test_series_come_as_numpy_columns_for_each_run_and_key(run_ids: list[str]) -> None:
    series = stepwell.get_metric_series(run_ids, ["loss", "accuracy"])
    assert [(one.run_id, one.key, len(one)) for one in series] == [
        (run_ids[0], "loss", 1_000),
        (run_ids[0], "accuracy", 0),
        (run_ids[1], "loss", 10),
        (run_ids[1], "accuracy", 10),
    ]
    assert series[0].steps.tolist() == list(range(1_000))
    assert series[0].timestamps.tolist() == list(range(10_000, 11_000))
    assert series[0].values.tolist() == [step / 3 for step in range(1_000)]
    assert series[2].steps.tolist() == list(range(-9, 1))
    assert np.isnan(series[2].values).all()


def test_ranges_and_last_points(run_ids: list[str]) -> None:
    (part,) = stepwell.get_metric_series(
        run_ids[0], "loss", step_range=(990, None), time_range=(None, 10_992)
    )
    assert part.steps.tolist() == [990, 991, 992]
    (part,) = stepwell.get_metric_series(run_ids[0], "loss", last=2)
    assert part.steps.tolist() == [998, 999]
    (part,) = stepwell.get_metric_series(run_ids[0], "loss", ranks=[7])
    assert not len(part)


def test_series_as_tables(run_ids: list[str]) -> None:
    frame = stepwell.get_metric_series(run_ids, ["accuracy", "loss"], last=3, output_format="pandas")
    assert list(frame.columns) == ["run_id", "key", "step", "timestamp", "value"]
    assert frame["run_id"].tolist() == [run_ids[0]] * 3 + [run_ids[1]] * 6
    assert frame["key"].tolist() == ["loss"] * 3 + ["accuracy"] * 3 + ["loss"] * 3
    assert frame["step"].tolist() == [997, 998, 999, 2**62 + 7, 2**62 + 8, 2**62 + 9, -2, -1, 0]
    table = stepwell.get_metric_series(run_ids, ["accuracy", "loss"], last=3, output_format="pyarrow")
    assert table["step"].to_pylist() == frame["step"].tolist()
    assert table["key"].to_pylist() == frame["key"].tolist()


def test_latest_metrics_of_runs(run_ids: list[str]) -> None:
    latest = stepwell.get_latest_metrics(run_ids)
    assert latest.run_ids == [run_ids[0], run_ids[1], run_ids[1]]
    assert latest.keys == ["loss", "accuracy", "loss"]
    assert latest.steps.tolist() == [999, 2**62 + 9, 0]
    assert latest.counts.tolist() == [1_000, 10, 10]
    assert latest.non_finite_counts.tolist() == [0, 0, 10]
    np.testing.assert_allclose(latest.means, [999 / 6, 4.5, np.nan])
    frame = stepwell.get_latest_metrics(run_ids, ["accuracy"], output_format="pandas")
    assert frame[["key", "min", "max"]].to_numpy().tolist() == [["accuracy", 0.0, 9.0]]


def test_samples_of_runs(run_ids: list[str]) -> None:
    samples = stepwell.sample_series(run_ids, ["loss", "accuracy"], buckets=10)
    assert [(one.run_id, one.key, len(one)) for one in samples] == [
        (run_ids[0], "loss", 10),
        (run_ids[0], "accuracy", 0),
        (run_ids[1], "loss", 10),
        (run_ids[1], "accuracy", 10),
    ]
    assert samples[0].first_x.tolist() == list(range(0, 1_000, 100))
    assert samples[0].last_values.tolist() == [step / 3 for step in range(99, 1_000, 100)]
    assert samples[0].counts.tolist() == [100] * 10
    assert samples[2].non_finite_counts.tolist() == [1] * 10
    assert np.isnan(samples[2].means).all()
    (part,) = stepwell.sample_series(run_ids[0], "loss", x_axis="time", x_range=(10_500, 10_507), buckets=2)
    assert part.first_x.tolist() == [10_500, 10_504]
    assert part.maxima.tolist() == [503 / 3, 507 / 3]
    frame = stepwell.sample_series(run_ids, "loss", buckets=2, output_format="pandas")
    assert frame["count"].tolist() == [500, 500, 5, 5]
    started = stepwell.get_run(run_ids[0]).info.start_time
    (since,) = stepwell.sample_series(run_ids[0], "loss", x_axis="time_since_start", buckets=1)
    assert since.first_x.tolist() == [10_000 - started]


def test_what_cannot_be_read_is_said(run_ids: list[str]) -> None:
    with pytest.raises(StepwellException, match="does not exist") as missing:
        stepwell.get_metric_series([run_ids[0], uuid.uuid4().hex], "loss")
    assert missing.value.error_code == "RESOURCE_DOES_NOT_EXIST"
    with pytest.raises(StepwellException, match="numpy, pandas, pyarrow"):
        stepwell.get_metric_series(run_ids, "loss", output_format="csv")
    with pytest.raises(StepwellException, match="lesser one first"):
        stepwell.get_metric_series(run_ids, "loss", step_range=(2, 1))
    with pytest.raises(StepwellException, match="time_since_start"):
        stepwell.sample_series(run_ids, "loss", x_axis="epoch")
    with pytest.raises(StepwellException, match="1 to 10000"):
        stepwell.sample_series(run_ids, "loss", buckets=10_001)
    with pytest.raises(StepwellException, match="65536"):
        stepwell.get_metric_series(run_ids, "loss", last=65_537)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"step_range": 5}, "step_range is a pair"),
        ({"step_range": (1, 2, 3)}, "step_range is a pair"),
        ({"step_range": (0.5, 2)}, r"step_range\[0\] must be an integer, not 0.5"),
        ({"time_range": (0, 2**63)}, r"time_range\[1\] must be an integer from"),
        ({"time_range": ("yesterday", None)}, r"time_range\[0\] must be an integer, not 'yesterday'"),
        ({"ranks": 0}, "ranks is a list of numbers, not 0"),
        ({"ranks": ["first"]}, "A rank must be an integer, not 'first'"),
        ({"writer_ids": "ab"}, r"writer_ids is a list, also for one writer: \['ab'\]"),
        ({"last": 0}, "without it come all points.* from 1 to"),
        ({"last": 2.5}, "last .*must be an integer, not 2.5"),
        ({"keys": None}, "keys is a string or a list of strings, not None"),
        ({"run_ids": 7}, "run_ids is a string or a list of strings, not 7"),
    ],
)
def test_arguments_of_other_kinds_are_named(run_ids: list[str], options: dict[str, Any], said: str) -> None:
    with pytest.raises(StepwellException, match=said) as refused:
        stepwell.get_metric_series(**{"run_ids": run_ids, "keys": "loss", **options})
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"


def test_numbers_of_numpy_are_taken(run_ids: list[str]) -> None:
    ends = (np.int64(3), np.float64(5))
    (some,) = stepwell.get_metric_series(run_ids[0], "loss", step_range=ends, last=np.int32(2))
    assert some.steps.tolist() == [4, 5]
    (sample,) = stepwell.sample_series(run_ids[0], "loss", x_range=ends, buckets=np.int64(1))
    assert sample.counts.tolist() == [3]
    for wrong in ({"x_range": (1, 2, 3)}, {"x_range": (1.5, None)}, {"buckets": True}, {"buckets": 2**40}):
        with pytest.raises(StepwellException, match=next(iter(wrong))):
            stepwell.sample_series(run_ids[0], "loss", **wrong)


def test_mlflows_history_is_in_order_of_time(client: StepwellClient, run_ids: list[str]) -> None:
    history = client.get_metric_history(run_ids[1], "loss")
    assert [point.step for point in history] == list(range(-9, 1))
    assert client.get_metric_history(run_ids[0], "nothing") == []


async def test_requests_that_make_no_sense_are_refused(server: RunningServer) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        series = SeriesServiceStub(channel)
        name = pb.SeriesName(run_id=uuid.uuid4().hex, key="loss")
        async with not_found():
            await series.GetHistory(pb.GetHistoryRequest(series=[name])).read()
        async with invalid("cursor"):
            await series.GetHistory(pb.GetHistoryRequest(series=[name], last=1, cursor="x")).read()
        async with invalid("the cursor is not one"):
            await series.GetHistory(pb.GetHistoryRequest(series=[name], cursor="x")).read()
        async with invalid("at most 10,000"):
            await series.GetHistory(pb.GetHistoryRequest(series=[name] * 10_001)).read()
