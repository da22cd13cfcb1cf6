"""What all tests share; see tests/harness."""

import logging
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import grpc.aio
import pytest

from stepwell import active_run, end_run, settings
from stepwell.delivery import logs
from stepwell_server.app import RunningServer, running_server
from stepwell_server.config import Config
from stepwell_server.process.deadline import Deadline
from stepwell_server.store import sql
from stepwell_server.store.postgres.pool import Pool, open_pool
from tests.harness.loops import loop_stays_free
from tests.harness.servers.processes import ServerProcess
from tests.harness.servers.shared import server_of_many
from tests.harness.store.databases import cloned_database, empty_database, template_database

STOP_S = 5.0

_run_resources = ExitStack()


def pytest_configure(config: pytest.Config) -> None:
    """Start the database of this run, once: in the process that the workers of pytest-xdist come from."""
    logging.getLogger("stepwell_server").setLevel(logging.ERROR)
    # A shell that starts the tests in the background lets them ignore Ctrl-C, and so all that they start.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # A time-out that asks the tests to end does what Ctrl-C does: their servers and PostgreSQL end with them.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    is_worker = hasattr(config, "workerinput")
    if not is_worker and not config.option.collectonly:
        _run_resources.enter_context(template_database())


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """`-n auto`: one more than cores, because tests wait for half of their time, for what other processes do."""
    return len(os.sched_getaffinity(0)) + 1


def pytest_unconfigure(config: pytest.Config) -> None:
    _run_resources.close()


@pytest.fixture(autouse=True, scope="session")
def spool_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The clients of all tests spool here, not in the tree."""
    folder = tmp_path_factory.mktemp("spool")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STEPWELL_SPOOL_DIR", str(folder))
        yield folder


@pytest.fixture(autouse=True)
def fresh_client(monkeypatch: pytest.MonkeyPatch, spool_dir: Path) -> Iterator[None]:
    """What a test sets in the client, and what it leaves undelivered, is not the next one's business."""
    for name in ("EXPERIMENT_ID", "RUN_ID", "EXPERIMENT_NAME"):
        # Set and deleted, so that the end of the test also undoes what the client sets.
        for prefix in ("STEPWELL", "MLFLOW"):
            monkeypatch.setenv(f"{prefix}_{name}", "")
            monkeypatch.delenv(f"{prefix}_{name}")
    monkeypatch.setenv("STEPWELL_SPOOL_DIR", tempfile.mkdtemp(dir=spool_dir))
    # Who has imported from MLflow's server shows its credentials to no other one.
    monkeypatch.setattr(settings, "_imports_from_mlflow", False)
    yield
    while active_run():
        end_run()
    logs.rest_all()
    logs._sealed.clear()


@pytest.fixture(autouse=True)
def form_of_statements() -> Iterator[None]:
    """A test on a database that is spread leaves the form of statements to the next one as it was."""
    before = sql.is_distributed()
    yield
    sql.use_form(is_distributed=before)


@pytest.fixture
async def database_url() -> AsyncIterator[str]:
    """A migrated database of the test's own."""
    async with cloned_database() as url:
        yield url


@pytest.fixture
async def empty_database_url() -> AsyncIterator[str]:
    """A database of the test's own without any table."""
    async with empty_database() as url:
        yield url


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    """Connections to `database_url`."""
    async with open_pool(database_url, Deadline(STOP_S)) as opened:
        yield opened


@pytest.fixture
async def server(database_url: str, tmp_path: Path) -> AsyncIterator[RunningServer]:
    """A server in this process, on `database_url`. For tests that are coroutines."""
    config = Config(port=0, http_port=0, store=database_url, data=tmp_path / "data", shutdown_grace_s=STOP_S)
    async with running_server(config) as running:
        with loop_stays_free():
            yield running


@pytest.fixture
async def channel(server: RunningServer) -> AsyncIterator[grpc.aio.Channel]:
    """A connection to `server`."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as opened:
        yield opened


@pytest.fixture
def start_server() -> Iterator[Callable[..., ServerProcess]]:
    """Starts servers in processes of their own, by command line options; they end with the test."""
    with ExitStack() as stack:
        yield lambda *options, **keywords: stack.enter_context(ServerProcess(*options, **keywords))


@pytest.fixture
def server_process(
    database_url: str, start_server: Callable[..., ServerProcess], tmp_path: Path
) -> ServerProcess:
    """A server in a process of its own, on `database_url`."""
    return start_server("--store", database_url, "--data", str(tmp_path / "data"))


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server in a process of its own that many tests use; for tests that keep to experiments of their own."""
    with server_of_many(tmp_path_factory) as server:
        yield server
