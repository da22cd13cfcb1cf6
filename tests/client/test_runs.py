"""Runs of the client against a real server: their whole trip, nesting, threads, tasks, ends."""

import asyncio
import math
import threading

import numpy as np
import pytest

import stepwell as mlflow
from stepwell import MlflowClient
from stepwell.entities import Param, RunStatus, RunTag
from tests.harness.client_errors import refused

pytestmark = pytest.mark.usefixtures("tracking_uri")


def history(run_id: str, key: str) -> list[tuple[int, int, float]]:
    return [(point.timestamp, point.step, point.value) for point in mlflow.get_metric_history(run_id, key)]


def test_the_whole_trip() -> None:
    experiment = mlflow.set_experiment("whole-trip")
    with mlflow.start_run(run_name="first", tags={"own": 1}, description="a note") as run:
        assert mlflow.active_run() is run
        assert mlflow.log_param("rate", 0.1) == 0.1
        mlflow.log_params({"layers": [1, 2], "empty": ""})
        mlflow.set_tag("stage", "early")
        mlflow.set_tags({"stage": "late", "n": 7})
        for step in range(1_000):
            mlflow.log_metric("loss", 1 / (step + 1), step=step)
        mlflow.log_metrics(
            {"scalar": np.float32(0.5), "nan": math.nan, "inf": -math.inf}, step=-3, timestamp=17
        )
    assert mlflow.active_run() is None
    read = mlflow.get_run(run.info.run_id)
    assert (read.info.status, read.info.run_name) == ("FINISHED", "first")
    assert read.info.experiment_id == experiment.experiment_id
    assert read.info.end_time >= read.info.start_time > 0
    assert read.data.params == {"rate": "0.1", "layers": "[1, 2]", "empty": ""}
    expected = {
        "own": "1",
        "stage": "late",
        "n": "7",
        "mlflow.note.content": "a note",
        "mlflow.runName": "first",
    }
    assert expected.items() <= read.data.tags.items()
    assert {"mlflow.user", "mlflow.source.name", "mlflow.source.type"} <= read.data.tags.keys()
    assert read.data.metrics["loss"] == 0.001
    assert math.isnan(read.data.metrics["nan"])
    points = mlflow.get_metric_history(run.info.run_id, "loss")
    assert [(point.step, point.value) for point in points] == [
        (step, 1 / (step + 1)) for step in range(1_000)
    ]
    assert history(run.info.run_id, "inf") == [(17, -3, -math.inf)]
    assert mlflow.last_active_run().info.run_id == run.info.run_id


def test_any_steps_and_order() -> None:
    rows = [
        (5, 2**63 - 1, 1.0),
        (5, -(2**63), 2.0),
        (3, 0, math.inf),
        (3, 0, 1.0),
        (3, 0, 1.0),
        (3, 0, math.nan),
    ]
    with mlflow.start_run() as run:
        for timestamp, step, value in rows:
            mlflow.log_metric("x", value, step=step, timestamp=timestamp)
    read = history(run.info.run_id, "x")
    assert read[:3] == [(3, 0, 1.0), (3, 0, 1.0), (3, 0, math.inf)]
    assert math.isnan(read[3][2])
    assert read[4:] == [(5, -(2**63), 2.0), (5, 2**63 - 1, 1.0)]


def test_many_metrics() -> None:
    with mlflow.start_run() as run:
        for step in range(3):
            mlflow.log_metrics({f"m{number}": number + step for number in range(2_000)}, step=step)
    assert mlflow.get_run(run.info.run_id).data.metrics == {
        f"m{number}": number + 2 for number in range(2_000)
    }


def test_metrics_that_are_logged_together_again_and_again() -> None:
    with mlflow.start_run() as run:
        for step in range(5):
            mlflow.log_metrics({"loss": float(step), "accuracy": step / 10}, step=step)
            mlflow.log_metrics({"accuracy": step / 20, "loss": -float(step)}, step=step + 5)
            mlflow.log_metrics({"loss": step}, step=step + 10)
        mlflow.log_metrics({}, step=0)
    history = {key: mlflow.get_metric_history(run.info.run_id, key) for key in ("loss", "accuracy")}
    values = {key: {point.step: point.value for point in points} for key, points in history.items()}
    assert values["loss"] == {k + 5 * j: k * (1, -1, 1)[j] for k in range(5) for j in range(3)}
    assert values["accuracy"] == {k + 5 * j: k / (10, 20)[j] for k in range(5) for j in range(2)}


def test_many_points() -> None:
    with mlflow.start_run() as run:
        for step in range(100_000):
            mlflow.log_metric("x", float(step), step=step)
    points = mlflow.get_metric_history(run.info.run_id, "x")
    assert [point.value for point in points] == list(range(100_000))


def test_an_implicit_run() -> None:
    mlflow.log_metric("x", 1)
    run_id = mlflow.active_run().info.run_id
    receipt = mlflow.end_run()
    assert receipt.complete
    assert receipt.committed == 2  # the point and the end of the run
    assert mlflow.end_run() is None
    assert mlflow.get_run(run_id).data.metrics == {"x": 1}


def test_reading_sees_what_was_just_logged() -> None:
    with mlflow.start_run() as run:
        for number in range(20):
            mlflow.log_metric("x", number, step=number)
            assert mlflow.get_run(run.info.run_id).data.metrics == {"x": number}


def test_nested_runs() -> None:
    with mlflow.start_run() as outer:
        with refused("INVALID_STATE", r"nested=True"):
            mlflow.start_run()
        with mlflow.start_run(nested=True) as inner:
            mlflow.log_metric("x", 1)
        assert mlflow.active_run() is outer
        mlflow.log_metric("y", 2)
        with refused("INVALID_PARAMETER_VALUE", "active run"):
            mlflow.start_run(nested=True, parent_run_id="0" * 32)
    assert mlflow.get_run(inner.info.run_id).data.tags["mlflow.parentRunId"] == outer.info.run_id
    assert mlflow.get_run(outer.info.run_id).data.metrics == {"y": 2}
    with mlflow.start_run(parent_run_id=outer.info.run_id) as other:
        pass
    assert mlflow.get_run(other.info.run_id).data.tags["mlflow.parentRunId"] == outer.info.run_id


def test_an_inner_run_that_was_left_open_ends_with_the_outer() -> None:
    with mlflow.start_run() as outer:
        inner = mlflow.start_run(nested=True)
    assert mlflow.active_run() is None
    assert {mlflow.get_run(run.info.run_id).info.status for run in (inner, outer)} == {"FINISHED"}


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ValueError(), "FAILED"),
        (KeyboardInterrupt(), "FAILED"),
        (SystemExit(1), "FAILED"),
        (SystemExit(), "FINISHED"),
    ],
)
def test_an_exception_ends_the_run(error: BaseException, status: str) -> None:
    with pytest.raises(type(error)), mlflow.start_run() as run:
        raise error
    assert mlflow.get_run(run.info.run_id).info.status == status


def test_going_on_with_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    with mlflow.start_run() as first:
        mlflow.log_metric("x", 1, step=1)
    monkeypatch.setenv("MLFLOW_RUN_ID", first.info.run_id)
    with mlflow.start_run(tags={"again": True}) as second:
        assert second.info.status == "RUNNING"
        mlflow.log_metric("x", 2, step=2)
    assert second.info.run_id == first.info.run_id
    read = mlflow.get_run(first.info.run_id)
    assert (read.info.status, read.data.metrics, read.data.tags["again"]) == ("FINISHED", {"x": 2}, "True")
    with refused("INVALID_PARAMETER_VALUE", "belongs to experiment"):
        mlflow.start_run(run_id=first.info.run_id, experiment_id="0")
    with refused("RESOURCE_DOES_NOT_EXIST"):
        mlflow.start_run(run_id="0" * 32)
    assert mlflow.active_run() is None


def test_a_run_of_the_environment_stays_in_its_experiment(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with mlflow.start_run() as first:
        pass
    monkeypatch.setenv("MLFLOW_RUN_ID", first.info.run_id)
    with mlflow.start_run(experiment_id="0") as second:
        assert second.info.run_id == first.info.run_id
    assert mlflow.get_run(first.info.run_id).info.experiment_id == first.info.experiment_id
    assert f"goes on in its experiment {first.info.experiment_id}, not in 0" in caplog.text


def test_each_thread_has_its_own_run() -> None:
    run_ids: list[str] = []

    def train(number: int) -> None:
        with mlflow.start_run() as run:
            run_ids.append(run.info.run_id)
            for step in range(500):
                mlflow.log_metric("x", number, step=step)

    with mlflow.start_run():
        threads = [threading.Thread(target=train, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(set(run_ids)) == 4
    assert sorted({tuple({value for _, _, value in history(run_id, "x")}) for run_id in run_ids}) == [
        (0,),
        (1,),
        (2,),
        (3,),
    ]


def test_threads_share_a_run_by_its_id() -> None:
    with mlflow.start_run() as run:

        def log(number: int) -> None:
            for step in range(2_000):
                mlflow.log_metric(f"x{number}", step, step=step, run_id=run.info.run_id)

        threads = [threading.Thread(target=log, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for number in range(4):
        assert [step for _, step, _ in history(run.info.run_id, f"x{number}")] == list(range(2_000))


def test_each_task_has_its_own_run() -> None:
    async def train(number: int) -> str:
        with mlflow.start_run(nested=True) as run:
            for step in range(50):
                mlflow.log_metric("x", number, step=step)
                await asyncio.sleep(0)
            assert mlflow.active_run() is run
        return run.info.run_id

    async def main() -> list[str]:
        with mlflow.start_run() as outer:
            run_ids = await asyncio.gather(*(train(number) for number in range(4)))
            assert mlflow.active_run() is outer
        return run_ids

    for number, run_id in enumerate(asyncio.run(main())):
        assert {value for _, _, value in history(run_id, "x")} == {number}


def test_a_run_that_a_task_ended_is_not_active_any_more() -> None:
    async def end() -> None:
        mlflow.end_run()

    async def main() -> None:
        mlflow.start_run()
        await asyncio.create_task(end())
        assert mlflow.active_run() is None

    asyncio.run(main())


def test_waiting_for_a_log_call() -> None:
    with mlflow.start_run() as run:
        assert mlflow.log_metric("x", 1, synchronous=True) is None
        pending = mlflow.log_metrics({"x": 2}, step=1, synchronous=False)
        pending.wait()
        mlflow.set_tag("t", "1", synchronous=True)
        mlflow.log_param("p", 1, synchronous=False).wait(30)
        assert mlflow.get_run(run.info.run_id).data.metrics == {"x": 2}


def test_the_client_by_run_id() -> None:
    client = MlflowClient()
    experiment_id = mlflow.create_experiment("by-run-id", tags={"team": "a"})
    run = client.create_run(experiment_id, start_time=5, tags={"a": "b"}, run_name="mine")
    run_id = run.info.run_id
    assert (run.info.status, run.info.start_time, run.info.run_name) == ("RUNNING", 5, "mine")
    assert run.data.tags == {"a": "b", "mlflow.runName": "mine"}
    client.log_metric(run_id, "x", 1.5, timestamp=7, step=3)
    assert client.log_param(run_id, "p", 3) == 3
    client.set_tag(run_id, "t", "v")
    points = [mlflow.Metric("y", step, step + 1, step) for step in range(1_200)]
    client.log_batch(run_id, points, [Param("q", "2")], [RunTag("u", "w")])
    client.update_run(run_id, name="yours")
    client.set_terminated(run_id, "KILLED", end_time=99)
    read = client.get_run(run_id)
    assert (read.info.status, read.info.end_time, read.info.run_name) == ("KILLED", 99, "yours")
    assert RunStatus.is_terminated(read.info.status)
    assert read.data.params == {"p": "3", "q": "2"}
    assert read.data.tags == {"a": "b", "t": "v", "u": "w", "mlflow.runName": "yours"}
    assert read.data.metrics == {"x": 1.5, "y": 1_199}
    assert [point.step for point in client.get_metric_history(run_id, "y")] == list(range(1_200))
    assert client.get_metric_history(run_id, "never") == []
    client.delete_tag(run_id, "t")
    assert "t" not in client.get_run(run_id).data.tags
    with refused("RESOURCE_DOES_NOT_EXIST"):
        client.delete_tag(run_id, "t")


def test_tags_of_the_context_are_of_every_new_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_RUN_CONTEXT", '{"job": 17, "team": "a"}')
    with mlflow.start_run(tags={"team": "b"}) as run:
        pass
    tags = mlflow.get_run(run.info.run_id).data.tags
    assert (tags["job"], tags["team"]) == ("17", "b")


def test_renaming_by_tag() -> None:
    with mlflow.start_run(run_name="before") as run:
        mlflow.set_tag("mlflow.runName", "after")
    assert mlflow.get_run(run.info.run_id).info.run_name == "after"
    with refused("INVALID_PARAMETER_VALUE", "differ"):
        mlflow.start_run(run_name="one", tags={"mlflow.runName": "two"})
