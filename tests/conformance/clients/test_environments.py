"""Clients in environments of their own, over REST and over the plugin. Run by `make test-clients`."""

from collections.abc import Callable
from pathlib import Path

import pytest

from stepwell import StepwellClient
from tests.conformance.clients.conftest import Run, succeeded
from tests.conformance.clients.environments import python_of
from tests.harness.servers.processes import ServerProcess

MLFLOWS = ("mlflow-2.22", "mlflow-3")
ENVIRONMENT = {"KERAS_BACKEND": "torch", "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
LOGGERS = ("lightning_logger.py", "transformers_callback.py", "optuna_callback.py", "keras_callback.py")


@pytest.fixture(params=["grpc", "stepwell", "http"])
def uri(request: pytest.FixtureRequest, shared_server: ServerProcess) -> str:
    """The server, for MLflow: the first two ask for the plugin, the third is MLflow's own REST client."""
    one_address = shared_server.url
    addresses = {
        "grpc": shared_server.tracking_uri,
        "stepwell": one_address.replace("http", "stepwell"),
        "http": one_address,
    }
    return addresses[request.param]


@pytest.mark.parametrize("mlflow", MLFLOWS)
def test_mlflow(run: Run, uri: str, mlflow: str, experiment: str, shared_server: ServerProcess) -> None:
    left_open = succeeded(run(uri, "fluent.py", experiment, python=python_of(mlflow)))
    found = StepwellClient(shared_server.tracking_uri).get_run(left_open)
    assert (found.info.status, found.data.metrics) == ("FINISHED", {"implicit": 1.0})


@pytest.mark.parametrize("mlflow", MLFLOWS)
def test_the_stores_of_the_plugin(
    run: Run, shared_server: ServerProcess, mlflow: str, experiment: str
) -> None:
    addresses = (shared_server.tracking_uri, shared_server.url)
    succeeded(run(addresses[0], "operations.py", experiment, addresses[1], python=python_of(mlflow)))


@pytest.mark.parametrize("mlflow", MLFLOWS)
def test_autolog_models_and_evaluation(run: Run, uri: str, mlflow: str, experiment: str) -> None:
    succeeded(run(uri, "sklearn_models.py", experiment, python=python_of(mlflow)))


@pytest.mark.parametrize("mlflow", MLFLOWS)
def test_the_registry_of_models(run: Run, uri: str, mlflow: str, experiment: str) -> None:
    succeeded(run(uri, "registry.py", experiment, python=python_of(mlflow)))


@pytest.mark.parametrize("how", ["normally", "kill"])
@pytest.mark.parametrize("mlflow", MLFLOWS)
def test_how_a_script_ends(run: Run, grpc_uri: str, mlflow: str, how: str) -> None:
    process = run(grpc_uri, "train.py", how, python=python_of(mlflow))
    run_id = process.stdout.split()[-1]
    assert StepwellClient(grpc_uri).get_run(run_id).data.params == {"lr": "0.1"}


def test_mlflows_own_server_on_top(
    run: Run, grpc_uri: str, experiment: str, mlflow_server: Callable[[str], str]
) -> None:
    top = mlflow_server(grpc_uri)
    left_open = succeeded(run(top, "fluent.py", experiment, python=python_of("mlflow-3")))
    assert StepwellClient(grpc_uri).get_run(left_open).info.status == "FINISHED"
    succeeded(run(top, "pages.py", left_open, python=python_of("mlflow-3")))


@pytest.mark.parametrize("script", LOGGERS)
def test_what_logs_to_mlflow_by_itself(
    run: Run, uri: str, script: str, experiment: str, tmp_path: Path
) -> None:
    succeeded(run(uri, script, experiment, str(tmp_path), python=python_of("training"), **ENVIRONMENT))


@pytest.mark.parametrize("script", LOGGERS)
def test_the_same_where_stepwell_stands_in_for_mlflow(
    run: Run, shared_server: ServerProcess, script: str, experiment: str, tmp_path: Path
) -> None:
    by = ["-m", "stepwell.as_mlflow", "--force"]  # the environment has the real one, for the test above
    arguments = (experiment, str(tmp_path))
    ran = run(shared_server.url, script, *arguments, python=python_of("training"), by=by, **ENVIRONMENT)
    succeeded(ran)
    assert "View run" not in ran.stdout  # which the real one says
