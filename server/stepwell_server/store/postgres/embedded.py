"""The embedded PostgreSQL: started, watched, restarted and stopped by the server.

It outlives a killed server; the next server on the same data folder stops what it finds and starts its own.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self
from urllib.parse import quote

import asyncpg

from stepwell_server.config import CONNECT_TIMEOUT_S, EMBEDDED_CONNECTIONS_MIN
from stepwell_server.errors import StartupError
from stepwell_server.process.deadline import Deadline
from stepwell_server.process.logger import get_logger
from stepwell_server.store.postgres import embedded_host
from stepwell_server.store.postgres.embedded_settings import server_settings
from stepwell_server.store.postgres.postmaster import is_ready, running_socket_folder, stop_leftover

USER = "stepwell"
DATABASE = "stepwell"

POLL_S = 0.02  # while it starts or stops
WATCH_S = 0.1  # while it runs
PROGRESS_S = 5.0  # a long recovery says every so often that it is still at work
START_ATTEMPTS = 3  # the processes of a killed predecessor may hold its memory for a moment
RESTART_PAUSE_MIN_S = 0.2
RESTART_PAUSE_MAX_S = 30.0
HEALTHY_AFTER_S = 60.0  # having run so long, the next restart begins with the shortest pause again
IMMEDIATE_STOP_S = 5.0  # PostgreSQL kills its own stragglers after 5 s
LAST_WORDS_S = 1.0  # when it ended, its log is read to the end
LAST_LINES = 20  # of its log, kept for the message when it does not start

log = get_logger(__name__)

# FATAL ends a connection, PANIC ends PostgreSQL.
_WRITES: dict[str, Callable[..., None]] = {"FATAL": log.warning, "PANIC": log.error}


def running_url(data: Path) -> str | None:
    """Return where to connect to the PostgreSQL that a server runs in the data folder; None when none is ready."""
    socket = running_socket_folder(data.resolve() / "postgres")
    return _url(socket, DATABASE) if socket else None


def _url(socket: Path, database: str) -> str:
    return f"postgresql://{USER}@/{database}?host={quote(str(socket), safe='')}"


class EmbeddedPostgres:
    """A PostgreSQL of our own in `<data>/postgres`, reachable through `url` while the context lasts.

    The caller holds the lock of the data folder. `fsync` False is for tests. Stopping takes no longer than
    the deadline says and, should that be too short, leaves the rest to crash recovery.
    """

    def __init__(
        self,
        data: Path,
        deadline: Deadline,
        *,
        fsync: bool = True,
        connections_max: int = EMBEDDED_CONNECTIONS_MIN,
    ) -> None:
        self._data = data.resolve()
        self._folder = self._data / "postgres"
        self._deadline = deadline
        self._fsync = fsync
        self._connections_max = connections_max
        self._last_lines: deque[str] = deque(maxlen=LAST_LINES)
        self._process: subprocess.Popen[str] | None = None
        self._watcher: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where to connect, once started."""
        return _url(self._socket, DATABASE)

    async def __aenter__(self) -> Self:
        self._account = embedded_host.postgres_account(self._folder)
        self._binaries = await asyncio.to_thread(embedded_host.usable_binaries, self._data, self._account)
        self._socket = embedded_host.socket_folder(self._data, self._account)
        await stop_leftover(self._folder)
        if not self._folder.exists():
            await asyncio.to_thread(self._initialise)
        try:
            await self._start_patiently()
            await self._make_database()
        except BaseException:
            await self._stop()
            raise
        self._watcher = asyncio.create_task(self._keep_running(), name="watch PostgreSQL")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._watcher:
            self._watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watcher
        await self._stop()

    def _initialise(self) -> None:
        """Make a new database cluster beside its place and move it there when it is complete."""
        unfinished = self._folder.with_name("postgres.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        embedded_host.own(unfinished, self._account)
        name = embedded_host.data_argument(unfinished, self._account)
        # "trust" trusts whoever reaches the socket, and its folder lets in only the server's user.
        # C.UTF-8 built in: the order of text never changes with the operating system.
        options = ["--auth=trust", "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        options += ["--locale=C", *([] if self._fsync else ["--no-sync"])]
        done = subprocess.run(  # noqa: S603 - our own binary
            [self._binary("initdb"), "-D", name, "-U", USER, *options],
            **self._process_options(unfinished),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise StartupError(f"PostgreSQL could not be set up in {self._folder}: {done.stderr.strip()}")
        unfinished.rename(self._folder)

    def _binary(self, name: str) -> Path:
        return self._binaries / "bin" / name

    def _process_options(self, folder: Path) -> dict[str, Any]:
        """Return what all processes of PostgreSQL get: a working folder, a session of their own, a bare environment."""
        environment = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
        account = self._account.process_options() if self._account else {}
        return {"cwd": folder, "env": environment, "start_new_session": True, **account}

    async def _start_patiently(self) -> None:
        for attempt in range(1, START_ATTEMPTS + 1):
            try:
                await self._start()
                return
            except StartupError:
                if attempt == START_ATTEMPTS:
                    raise
            await asyncio.sleep(1.0)

    async def _start(self) -> None:
        self._last_lines.clear()
        settings = server_settings(self._socket, fsync=self._fsync, connections_max=self._connections_max)
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        name = embedded_host.data_argument(self._folder, self._account)
        process = subprocess.Popen(  # noqa: S603, ASYNC220 - our own binary; returns when it runs
            [self._binary("postgres"), "-D", name, *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            **self._process_options(self._folder),
        )
        self._process = process
        self._reader = threading.Thread(target=self._forward_log, args=(process.stderr,), daemon=True)
        self._reader.start()
        await self._wait_until_ready(process)

    def _forward_log(self, stream: IO[str]) -> None:
        """Put PostgreSQL's log into ours, until it ends. A thread, so that PostgreSQL never waits for our loop."""
        with stream:
            for line in stream:
                self._last_lines.append(line.rstrip())
                level, _, text = line.rstrip().partition(":  ")
                write: Callable[..., None] = _WRITES.get(level) or log.debug
                write("postgresql", message=text or level)

    async def _wait_until_ready(self, process: subprocess.Popen[str]) -> None:
        """Wait for as long as it takes: recovery of a large database after a crash may take minutes."""
        started = reported = time.monotonic()
        while not is_ready(self._folder, process.pid):
            if process.poll() is not None:
                await asyncio.to_thread(self._reader.join, LAST_WORDS_S)
                raise StartupError(f"PostgreSQL in {self._folder} does not start: {self._reason()}")
            if time.monotonic() - reported > PROGRESS_S:
                reported = time.monotonic()
                log.info("waiting for PostgreSQL", seconds=round(reported - started), last=self._reason())
            await asyncio.sleep(POLL_S)

    def _reason(self) -> str:
        return " / ".join(list(self._last_lines)[-3:]) or "it says nothing"

    async def _make_database(self) -> None:
        connection = await asyncpg.connect(_url(self._socket, "postgres"), timeout=CONNECT_TIMEOUT_S)
        try:
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
                await connection.execute(f"CREATE DATABASE {DATABASE}")
        finally:
            await connection.close()

    async def _keep_running(self) -> None:
        """Start PostgreSQL again whenever it ends, after pauses that grow while it keeps ending."""
        pause_s = RESTART_PAUSE_MIN_S
        while True:
            started = time.monotonic()
            await self._wait_for_end()
            if time.monotonic() - started > HEALTHY_AFTER_S:
                pause_s = RESTART_PAUSE_MIN_S
            log.error("PostgreSQL ended; it is started again", pause_s=pause_s, last=self._reason())
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, RESTART_PAUSE_MAX_S)
            try:
                await self._start()
                log.info("PostgreSQL runs again")
            except (StartupError, OSError) as error:
                log.error("PostgreSQL does not start", reason=str(error))

    async def _wait_for_end(self) -> None:
        while self._process and self._process.poll() is None:  # noqa: ASYNC110 - it sets no event of ours
            await asyncio.sleep(WATCH_S)

    async def _stop(self) -> None:
        await self._end_process()
        embedded_host.remove_private_folders(self._data)

    async def _end_process(self) -> None:
        """Stop fast; when the deadline ends, at once: what was committed is safe either way."""
        for number, patience_s in (
            (signal.SIGINT, self._deadline.remaining_s()),
            (signal.SIGQUIT, IMMEDIATE_STOP_S),
            (signal.SIGKILL, IMMEDIATE_STOP_S),
        ):
            if self._process is None or self._process.poll() is not None:
                return
            self._process.send_signal(number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience_s):
                    await self._wait_for_end()
