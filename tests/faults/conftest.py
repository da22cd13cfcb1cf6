"""What the fault tests share: a server on a database of its own, and training processes that log to it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.training import Training
from tests.harness.network.proxy import Proxy
from tests.harness.servers.processes import ServerProcess

StartTraining = Callable[..., Training]


@pytest.fixture
def start_training(tmp_path: Path) -> Iterator[StartTraining]:
    """Starts training processes: first the tracking URI, then as `Training`; they are killed with the test."""
    with ExitStack() as stack:

        def start(
            uri: str, *options: str, environment: dict[str, str] | None = None, **numbers: int
        ) -> Training:
            own = {"STEPWELL_TRACKING_URI": uri, "STEPWELL_SPOOL_DIR": str(tmp_path / "spool")}
            return stack.enter_context(
                Training(tmp_path, {**own, **(environment or {})}, *options, **numbers)
            )

        yield start


@pytest.fixture
def proxy(shared_server: ServerProcess) -> Iterator[Proxy]:
    """A network between the training and `shared_server` that fails when told."""
    with Proxy(shared_server.port) as proxy:
        yield proxy
