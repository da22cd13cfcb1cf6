"""The tutorial that explains tracking: every log function once, with and without a run, and what is read afterwards."""

import pytest

import stepwell as mlflow
from tests.harness.examples import ran
from tests.tutorials.conftest import files_of, runs_of


def test_a_tour_of_tracking(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    with ran("tracking_tour.py", "tour"):
        look_at_the_tour(address, capsys.readouterr().out)


def look_at_the_tour(address: str, told: str) -> None:
    assert f"Logging to {address}, experiment 'tour'" in told
    assert "params are written once" in told
    assert mlflow.active_run() is None
    runs = runs_of("tour")
    assert len(runs) == 3
    steps = runs.pop("steps")
    assert steps.data.params == {"learning_rate": "0.001", "optimizer": "adam"}
    points = {
        key: [(it.step, it.value) for it in mlflow.MlflowClient().get_metric_history(steps.info.run_id, key)]
        for key in ("quality", "anywhere")
    }
    assert points["quality"] == [(0, 0), (1, 2), (2, 4)]
    assert set(points["anywhere"]) == {(75, 37.5), (-20, -10), (1, 0.5)}
    failed, first = sorted(runs.values(), key=lambda run: run.info.status)
    assert (failed.info.status, failed.data.params) == ("FAILED", {"learning_rate": "0.001"})
    assert (first.info.status, first.data.params) == ("FINISHED", {"trees": "10", "depth": "4"})
    assert first.data.metrics == {"mse": 2400, "rmse": 49}
    assert files_of(first.info.run_id) == {"all", "settings.yaml"}
    assert files_of(first.info.run_id, "all") == {"all/settings.yaml", "all/notes.txt"}
    table = mlflow.search_runs(experiment_names=["tour"], filter_string="params.trees = '10'")
    assert list(table["run_id"]) == [first.info.run_id]
    assert list(table["params.depth"]) == ["4"]
