"""What tests of models share."""

import uuid
from typing import Any

import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import stepwell
from stepwell.models import pickles
from tests.harness.servers.processes import ServerProcess


@pytest.fixture(autouse=True)
def pickles_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """That pickles execute code is said once in a process; each test is to see it anew, or not at all."""
    monkeypatch.setattr(pickles, "_told", False)


@pytest.fixture(scope="session")
def iris() -> tuple[Any, Any]:
    """Real flowers: a data frame of four columns of floats, and their kinds."""
    return load_iris(return_X_y=True, as_frame=True)


@pytest.fixture(scope="session")
def pipeline(iris: tuple[Any, Any]) -> Any:
    """A real estimator that knows them."""
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(*iris)


@pytest.fixture
def tracking_uri(shared_server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> str:
    """The server that models are logged to, with an experiment of the test's own."""
    monkeypatch.setenv("STEPWELL_TRACKING_URI", shared_server.tracking_uri)
    monkeypatch.setenv("STEPWELL_EXPERIMENT_NAME", "")
    stepwell.set_experiment(f"test-{uuid.uuid4().hex}")
    return shared_server.tracking_uri
