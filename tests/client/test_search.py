"""Searching through the client."""

import math

import pytest

import stepwell as mlflow
from stepwell import StepwellClient, StepwellException, ViewType
from tests.harness.client_errors import refused

pytestmark = pytest.mark.usefixtures("tracking_uri")


def log_runs() -> list[str]:
    ids = []
    for number in range(5):
        with mlflow.start_run(run_name=f"run {number}") as run:
            mlflow.log_params({"lr": number / 10, f"only {number}": "x"})
            mlflow.log_metric("loss", math.nan if number == 3 else 5.0 - number)
            mlflow.set_tag("parity", number % 2)
            ids.append(run.info.run_id)
    return ids


def found(filter_string: str, **arguments: object) -> list[str]:
    runs = mlflow.search_runs(filter_string=filter_string, output_format="list", **arguments)
    return [run.info.run_name for run in runs]


def test_runs_are_found_as_in_mlflow() -> None:
    log_runs()
    assert found("metrics.loss < 4.5 and params.lr = '0.1'") == ["run 1"]
    assert found("params.lr BETWEEN 0.15 AND 0.35 OR tags.parity = '1'", order_by=["params.lr"]) == [
        "run 1",
        "run 2",
        "run 3",
    ]
    by_loss = ["run 4", "run 2", "run 1", "run 0", "run 3"]
    assert found("", order_by=["metrics.loss ASC"]) == by_loss
    assert found("", order_by=["metrics.loss DESC"]) == [*reversed(by_loss[:4]), "run 3"]
    assert found("", order_by=["metrics.loss"], max_results=2) == by_loss[:2]
    assert found("", max_results=0) == []
    assert len(found("", max_results=None)) == 5
    with refused("INVALID_PARAMETER_VALUE", "character 16"):
        found("metrics.loss = = 3")
    with refused("INVALID_PARAMETER_VALUE", "status is one of RUNNING, SCHEDULED, FINISHED, FAILED, KILLED"):
        found("attributes.status = 'finished'")


def test_a_data_frame_has_mlflows_columns() -> None:
    pandas = pytest.importorskip("pandas")
    ids = log_runs()
    frame = mlflow.search_runs(order_by=["run_name"])
    assert list(frame.columns[:7]) == [
        *("run_id", "experiment_id", "status", "artifact_uri", "start_time", "end_time"),
        "metrics.loss",
    ]
    assert list(frame["run_id"]) == ids
    assert frame["params.only 0"].tolist() == ["x", None, None, None, None]
    assert frame["tags.mlflow.runName"].tolist() == [f"run {number}" for number in range(5)]
    assert frame["metrics.loss"].isna().tolist() == [False, False, False, True, False]
    assert isinstance(frame["start_time"].dtype, pandas.DatetimeTZDtype)
    assert (frame["end_time"] >= frame["start_time"]).all()
    few = mlflow.search_runs(params=["lr"], metrics=[], tags=["parity"])
    assert set(few.columns[6:]) == {"params.lr", "tags.parity"}
    nobody = mlflow.search_runs(filter_string="run_name = 'nobody'")
    assert nobody.empty
    assert nobody.dtypes.equals(frame.dtypes[:6])


def test_pages_of_the_client() -> None:
    ids = log_runs()
    client = StepwellClient()
    experiment_id = mlflow.get_run(ids[0]).info.experiment_id
    first = client.search_runs([experiment_id], order_by=["run_name"], max_results=3)
    second = client.search_runs([experiment_id], order_by=["run_name"], max_results=3, page_token=first.token)
    assert [run.info.run_id for run in [*first, *second]] == ids
    assert second.token is None
    with refused("INVALID_PARAMETER_VALUE", "max_results"):
        client.search_runs([experiment_id], max_results=0)


def test_where_to_search() -> None:
    ids = log_runs()
    experiment = mlflow.get_experiment(mlflow.get_run(ids[0]).info.experiment_id)
    by_name = mlflow.search_runs(experiment_names=[experiment.name, "nobody's"], output_format="list")
    by_id = mlflow.search_runs([experiment.experiment_id], output_format="list")
    anywhere = mlflow.search_runs(search_all_experiments=True, output_format="list", max_results=10_000)
    assert len(by_name) == len(by_id) == 5
    assert set(ids) <= {run.info.run_id for run in anywhere}
    assert mlflow.search_runs(experiment_names=["nobody's"], output_format="list") == []
    with pytest.raises(StepwellException, match="not both"):
        mlflow.search_runs(["0"], experiment_names=["Default"])
    with pytest.raises(StepwellException, match="'pandas' or 'list'"):
        mlflow.search_runs(output_format="csv")


def test_many_runs_change_at_once() -> None:
    ids = log_runs()
    client = StepwellClient()
    where = [mlflow.get_run(ids[0]).info.experiment_id]
    assert client.tag_runs(where, "metrics.loss > 4", {"good": "no"}) == 1
    assert client.delete_runs(where, "tags.parity = '1'") == 2
    assert found("run_id IS NOT NULL", order_by=["run_name"]) == ["run 0", "run 2", "run 4"]
    assert len(found("", run_view_type=ViewType.DELETED_ONLY)) == 2
    assert client.restore_runs(where, "tags.parity = '1'") == 2
    assert found("tags.good = 'no'") == ["run 0"]
