"""What tests of imports and exports share."""

from pathlib import Path

import pytest

from stepwell import StepwellClient
from stepwell.transfer import bulk
from tests.harness.mlflow_stores import Store
from tests.harness.servers.processes import ServerProcess


@pytest.fixture
def client(server_process: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> StepwellClient:
    """A client of a server of the test's own, to which is imported."""
    monkeypatch.setenv("STEPWELL_TRACKING_URI", server_process.tracking_uri)
    monkeypatch.setattr(bulk, "MESSAGE_POINTS_MAX", 7)
    return StepwellClient()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A folder of MLflow with three runs of the experiment cats."""
    return Store(tmp_path)
