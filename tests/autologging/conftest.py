"""What tests of autologging share."""

import os
from collections.abc import Iterator
from importlib.util import find_spec

import pytest

import stepwell
from tests.harness.servers.processes import ServerProcess

if not find_spec("tensorflow"):
    os.environ.setdefault("KERAS_BACKEND", "torch")


@pytest.fixture(autouse=True)
def experiment(shared_server: ServerProcess, request: pytest.FixtureRequest) -> Iterator[str]:
    """An experiment of the test's own; afterwards nothing logs by itself."""
    stepwell.set_tracking_uri(shared_server.tracking_uri)
    name = f"autolog-{request.node.name}-{id(request)}"
    yield stepwell.set_experiment(name).experiment_id
    stepwell.autolog(disable=True)
