"""What tests of MLflow's semantics share."""

import uuid
from collections.abc import Iterator

import pytest

from tests.harness.network.rest import Rest
from tests.harness.servers.processes import ServerProcess
from tests.harness.servers.shared import server_of_many


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server for these tests alone: MLflow's answers were recorded where nobody else had changed anything."""
    with server_of_many(tmp_path_factory) as server:
        yield server


@pytest.fixture
def rest(shared_server: ServerProcess) -> Rest:
    """Raw HTTP to a server that other tests of this folder use, too."""
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
