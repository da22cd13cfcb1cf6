"""Experiments through the client."""

import uuid

import pytest

import stepwell as mlflow
from stepwell import MlflowClient, ViewType
from tests.harness.client_errors import refused

pytestmark = pytest.mark.usefixtures("tracking_uri")


def new_name() -> str:
    return f"e-{uuid.uuid4().hex}"


def test_create_and_get() -> None:
    name = new_name()
    experiment_id = mlflow.create_experiment(
        name, artifact_location="stepwell-artifacts:/own", tags={"team": 7}
    )
    assert isinstance(experiment_id, str)
    experiment = mlflow.get_experiment(experiment_id)
    assert experiment == mlflow.get_experiment_by_name(name)
    assert (experiment.name, experiment.artifact_location) == (name, "stepwell-artifacts:/own")
    assert (experiment.tags, experiment.lifecycle_stage) == ({"team": "7"}, "active")
    assert experiment.creation_time > 0
    with refused("RESOURCE_ALREADY_EXISTS"):
        mlflow.create_experiment(name)


def test_what_is_missing() -> None:
    assert mlflow.get_experiment_by_name(new_name()) is None
    with refused("RESOURCE_DOES_NOT_EXIST"):
        mlflow.get_experiment("999999999")
    with refused("INVALID_PARAMETER_VALUE", "experiment id"):
        mlflow.get_experiment("mine")
    with refused("INVALID_PARAMETER_VALUE", "name of an experiment"):
        mlflow.create_experiment("")


def test_default() -> None:
    assert mlflow.get_experiment("0").name == "Default"


def test_set_experiment(monkeypatch: pytest.MonkeyPatch) -> None:
    name = new_name()
    experiment = mlflow.set_experiment(name)
    with mlflow.start_run() as run:
        assert run.info.experiment_id == experiment.experiment_id
    assert mlflow.set_experiment(experiment_id=experiment.experiment_id) == experiment
    with refused("INVALID_PARAMETER_VALUE", "either"):
        mlflow.set_experiment()
    with refused("RESOURCE_DOES_NOT_EXIST"):
        mlflow.set_experiment(experiment_id="999999999")
    with mlflow.start_run(experiment_id="0") as run:
        assert run.info.experiment_id == "0"


def test_the_experiment_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPWELL_EXPERIMENT_NAME", new_name())
    with mlflow.start_run() as run:
        pass
    assert mlflow.get_experiment(run.info.experiment_id).name == mlflow.settings.experiment_name()
    monkeypatch.delenv("STEPWELL_EXPERIMENT_NAME")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", run.info.experiment_id)
    with mlflow.start_run() as other:
        assert other.info.experiment_id == run.info.experiment_id


def test_search() -> None:
    created = [mlflow.create_experiment(new_name()) for _ in range(5)]
    client, found, token = MlflowClient(), [], None
    while True:
        page = client.search_experiments(max_results=2, page_token=token)
        found += [experiment.experiment_id for experiment in page]
        token = page.token
        if token is None:
            break
    assert set(created) <= set(found)
    assert len(set(found)) == len(found)
    assert [experiment.experiment_id for experiment in mlflow.search_experiments(max_results=3)] == found[:3]
    assert len(mlflow.search_experiments(ViewType.ALL)) >= len(found)
    name = mlflow.get_experiment(created[0]).name
    assert [one.name for one in mlflow.search_experiments(filter_string=f"name = '{name}'")] == [name]
    by_id = mlflow.search_experiments(filter_string="name LIKE '%'", order_by=["experiment_id ASC"])
    numbers = [int(experiment.experiment_id) for experiment in by_id]
    assert numbers == sorted(numbers)
    with refused("INVALID_PARAMETER_VALUE", "max_results"):
        client.search_experiments(max_results=0)
