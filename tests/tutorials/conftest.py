"""What the tutorials share: a server, named as MLflow's scripts name it, and what they left on it."""

import pytest

import stepwell
from stepwell import StepwellClient
from stepwell.entities import Run
from tests.harness.environments import ROOT
from tests.harness.servers.processes import ServerProcess

EXAMPLES = ROOT / "examples"


@pytest.fixture(autouse=True)
def address(shared_server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> str:
    """The one address of a server, by MLflow's variable."""
    for name in ("STEPWELL_TRACKING_URI", "STEPWELL_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", shared_server.url)
    return shared_server.url


def runs_of(experiment: str, filter_string: str = "") -> dict[str, Run]:
    """Return the runs of an experiment by name."""
    found = stepwell.search_runs(
        experiment_names=[experiment], filter_string=filter_string, output_format="list"
    )
    return {run.info.run_name: run for run in found}


def files_of(run_id: str, folder: str = "") -> set[str]:
    """Return what is directly in a folder of a run."""
    return {file.path for file in StepwellClient().list_artifacts(run_id, folder or None)}
