"""What tests of MLflow's semantics share."""

import uuid

import pytest

from tests.harness.processes import ServerProcess
from tests.harness.rest import Rest


@pytest.fixture
def rest(shared_server: ServerProcess) -> Rest:
    """Raw HTTP to a server that other tests use, too."""
    return Rest(shared_server.url)


@pytest.fixture
async def experiment(rest: Rest) -> str:
    """The id of an experiment of the test's own."""
    created = await rest.post("experiments/create", {"name": f"semantics {uuid.uuid4().hex}"})
    return created["experiment_id"]


@pytest.fixture
async def run(rest: Rest, experiment: str) -> str:
    """The id of a run of the test's own."""
    return await rest.new_run(experiment_id=experiment, start_time=1)
