"""Several processes that serve one port: the parent owns the database, watches the workers and stops them.

    parent      data folder, embedded PostgreSQL, migrations, metrics page
      ├─ worker 1   pool -> stores -> services -> gRPC on the port (SO_REUSEPORT)
      └─ worker 2   the same; the kernel spreads connections over them

A worker gets its settings as one line of JSON on its standard input (they may hold a password, which the list of
processes must not show). Standard input stays open for as long as the parent lives: its end tells a worker to stop.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, replace
from typing import Any

from stepwell_server.config import Config, without_password
from stepwell_server.errors import StartupError
from stepwell_server.process.deadline import Deadline
from stepwell_server.process.logger import get_logger
from stepwell_server.process.ports import require_bindable, reserved_port
from stepwell_server.process.tls.identity import Identity
from stepwell_server.running import RunningServer, grpc_uri, http_url, open_store
from stepwell_server.store.postgres.capacity import tell_what_is_short
from stepwell_server.store.postgres.migrations import migrate
from stepwell_server.web.metrics import MULTIPROCESS_FOLDER, forget_process, metrics_page, page_of_processes

READY = b"ready\n"
RESTART_PAUSE_MIN_S = 0.2
RESTART_PAUSE_MAX_S = 30.0
HEALTHY_AFTER_S = 60.0  # having run so long, the next restart begins with the shortest pause again
WORKER_READY_S = 60.0
# Of the shutdown's time, what the workers get; stopping the database needs the rest.
WORKERS_SHARE = 0.8

log = get_logger(__name__)


@asynccontextmanager
async def running_workers(config: Config) -> AsyncIterator[RunningServer]:
    """Run `config.workers` processes on one port while the context lasts.

    Raises:
        StartupError: they cannot start; the message says why and what to do.
    """
    deadline = Deadline(config.shutdown_grace_s)
    async with AsyncExitStack() as stack:
        # The workers load it themselves; here, so that what is wrong is told once, and for the name to tell.
        identity = None if config.tls is None else Identity(config.tls)
        require_bindable(config.host, config.port)
        port = stack.enter_context(reserved_port(config.host, config.port))
        http_port = _reserve_http_port(config, stack)
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="stepwell-metrics-"))
        metrics_port = None
        if config.metrics_port is not None:
            page = metrics_page(config.metrics_host, config.metrics_port, page_of_processes(folder))
            metrics_port = stack.enter_context(page)
        store = await open_store(config, deadline, stack)
        database = await migrate(store, pooler=config.pooler if config.store else "none")
        await tell_what_is_short(database, config.workers)
        of_worker = replace(
            config, port=port, http_port=http_port, store=store, shares_port=True, metrics_port=None
        )
        workers = [Worker(number, of_worker, folder) for number in range(1, config.workers + 1)]
        await stack.enter_async_context(_all_running(workers, deadline))
        url = http_url(config, http_port, identity) if http_port else None
        log.info(
            "server ready",
            host=config.host,
            port=port,
            url=url,
            workers=len(workers),
            store=without_password(store),
        )
        uri = grpc_uri(config, port, identity)
        yield RunningServer(config.host, port, store, metrics_port=metrics_port, http_url=url, grpc_uri=uri)


def _reserve_http_port(config: Config, stack: AsyncExitStack) -> int | None:
    if config.http_port is None:
        return None
    host = config.http_host or config.host
    require_bindable(host, config.http_port, "--port")
    return stack.enter_context(reserved_port(host, config.http_port))


@asynccontextmanager
async def _all_running(workers: list["Worker"], deadline: Deadline) -> AsyncIterator[None]:
    """Start all workers, keep them running, and stop them all at once."""
    watchers: list[asyncio.Task[None]] = []
    try:
        await asyncio.gather(*[worker.start() for worker in workers])
        watchers = [asyncio.create_task(worker.keep_running()) for worker in workers]
        yield
    finally:
        deadline.start()
        for watcher in watchers:
            watcher.cancel()
        await asyncio.gather(*watchers, return_exceptions=True)
        patience_s = deadline.remaining_s(WORKERS_SHARE)
        await asyncio.gather(*[worker.stop(patience_s) for worker in workers])


class Worker:
    """One process, started again whenever it ends by itself."""

    def __init__(self, number: int, config: Config, metrics_folder: str) -> None:
        self._number = number
        self._config = config
        self._metrics_folder = metrics_folder
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start the process and wait until it serves.

        Raises:
            StartupError: it ended, or did not come up in time; its own log says why.
        """
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "stepwell_server.worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, MULTIPROCESS_FOLDER: self._metrics_folder},
            start_new_session=True,  # Ctrl-C is for the parent, who tells the workers
        )
        self._process = process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(settings_line(self._number, self._config))
        try:
            async with asyncio.timeout(WORKER_READY_S):
                line = await process.stdout.readline()
        except TimeoutError:
            line = b""
        if line != READY:
            raise StartupError(f"worker {self._number} did not start; the log says why")
        log.info("worker ready", worker=self._number, process=process.pid)

    async def keep_running(self) -> None:
        """Start the process again whenever it ends, after pauses that grow while it keeps ending."""
        pause_s = RESTART_PAUSE_MIN_S
        while True:
            assert self._process is not None
            started = time.monotonic()
            code = await self._process.wait()
            forget_process(self._process.pid, self._metrics_folder)
            if time.monotonic() - started > HEALTHY_AFTER_S:
                pause_s = RESTART_PAUSE_MIN_S
            log.error("worker ended; it is started again", worker=self._number, code=code, pause_s=pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, RESTART_PAUSE_MAX_S)
            with contextlib.suppress(StartupError):
                await self.start()

    async def stop(self, patience_s: float) -> None:
        """Ask the process to stop, and kill it when it takes longer: what it acknowledged is committed."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(patience_s):
                await process.wait()
        except TimeoutError:
            log.warning("worker did not stop in time and is killed", worker=self._number)
            process.kill()
            await process.wait()


def settings_line(number: int, config: Config) -> bytes:
    """What a worker has to know."""
    settings: dict[str, Any] = {
        "number": number,
        "log_format": config.log_format,
        "log_level": config.log_level,
        "config": {**asdict(config), "data": str(config.data)},
    }
    return json.dumps(settings).encode() + b"\n"
