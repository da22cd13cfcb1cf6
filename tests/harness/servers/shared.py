"""A server that many tests use."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.harness.servers.processes import ServerProcess
from tests.harness.store.databases import cloned_database


@contextmanager
def server_of_many(
    folders: pytest.TempPathFactory, *more: str, environment: dict[str, str] | None = None
) -> Iterator[ServerProcess]:
    """Run a server in a process of its own, on a database of its own; `more` are options of its command."""
    with asyncio.Runner() as runner, ExitStack() as stack:
        database = cloned_database()
        url = runner.run(database.__aenter__())
        stack.callback(lambda: runner.run(database.__aexit__(None, None, None)))
        options = ("--store", url, "--data", str(folders.mktemp("data")), *more)
        yield stack.enter_context(ServerProcess(*options, environment=environment))
