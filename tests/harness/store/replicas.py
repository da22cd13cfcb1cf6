"""A PostgreSQL with a standby that has whatever is committed, and takes over when the first one is killed."""

import asyncio
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg

from stepwell_server.store.postgres import embedded_host
from tests.harness.content.s3 import _wait_until_ready
from tests.harness.network.ports import free_port

STOP_S = 10.0
LOOK_S = 0.05
USER = "stepwell"


class Replicas:
    """Two PostgreSQLs on ports of this machine. `url` names both, the one that follows first."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._account = embedded_host.postgres_account(folder)
        self._binaries = embedded_host.usable_binaries(folder, self._account) / "bin"
        self._first, self._second = free_port(), free_port()
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self.url = f"postgresql://{USER}@127.0.0.1:{self._second},127.0.0.1:{self._first}/postgres"

    def start(self) -> None:
        """Start both; from then on a commit waits until both have it."""
        embedded_host.own(self._folder, self._account)
        self._run(
            "initdb", "-D", "first", "-U", USER, "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"
        )
        self._serve("first", self._first)
        source = ("-h", "127.0.0.1", "-p", str(self._first), "-U", USER)
        self._run("pg_basebackup", "-D", "second", "-R", "-c", "fast", "--no-sync", *source)
        self._serve("second", self._second)
        asyncio.run(self._follow())

    def fail_over(self) -> None:
        """Kill the first one, as `kill -9` does, and let the other one take over."""
        process = self._processes.pop(self._first)
        process.kill()
        process.wait(STOP_S)
        asyncio.run(self._promote())

    def close(self) -> None:
        """End them."""
        for process in self._processes.values():
            process.send_signal(signal.SIGINT)  # connections are cut
        for process in self._processes.values():
            process.wait(STOP_S)

    def _serve(self, name: str, port: int) -> None:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": "",
            "fsync": "off",
        }
        options = [part for setting in settings.items() for part in ("-c", "{}={}".format(*setting))]
        self._processes[port] = subprocess.Popen(
            [self._binaries / "postgres", "-D", name, *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **self._options(),
        )
        _wait_until_ready(port, self._processes[port])
        asyncio.run(self._greet(port))

    def _run(self, program: str, *options: str) -> None:
        done = subprocess.run(
            [self._binaries / program, *options],
            capture_output=True,
            text=True,
            check=False,
            **self._options(),
        )
        assert done.returncode == 0, f"{program}: {done.stderr}"

    def _options(self) -> dict[str, Any]:
        account = self._account.process_options() if self._account else {}
        return {"cwd": self._folder, "env": {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}, **account}

    async def _connect(self, port: int) -> asyncpg.Connection:
        while True:
            try:
                return await asyncpg.connect(f"postgresql://{USER}@127.0.0.1:{port}/postgres")
            except asyncpg.CannotConnectNowError:  # it starts
                await asyncio.sleep(LOOK_S)

    async def _greet(self, port: int) -> None:
        await (await self._connect(port)).close()

    async def _follow(self) -> None:
        connection = await self._connect(self._first)
        followers = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
        while not await connection.fetchval(followers):  # noqa: ASYNC110 - another process's work
            await asyncio.sleep(LOOK_S)
        await connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        await connection.execute("SELECT pg_reload_conf()")
        await connection.close()

    async def _promote(self) -> None:
        connection = await self._connect(self._second)
        assert await connection.fetchval("SELECT pg_promote()")
        await connection.close()


@contextmanager
def running_replicas() -> Iterator[Replicas]:
    """Run them while the context lasts."""
    with tempfile.TemporaryDirectory(prefix="stepwell-replicas-") as folder:
        Path(folder).chmod(0o755)
        replicas = Replicas(Path(folder))
        try:
            replicas.start()
            yield replicas
        finally:
            replicas.close()
