"""A real PgBouncer for tests: that which STEPWELL_PGBOUNCER names, the system's, or Debian's, fetched without root.

It keeps to transactions, has few connections, and hands out another one whenever it can, so that whatever is left
behind in one is missed, or found by somebody else.
"""

import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from stepwell_server.store.postgres.embedded_host import postgres_account
from tests.harness.content.s3 import _wait_until_ready
from tests.harness.network.ports import free_port
from tests.harness.npm import alone

UNPACKED = Path(__file__).parents[2] / "store" / "postgres" / ".pgbouncer"
SYSTEM_PATH = os.pathsep.join(["/usr/sbin", "/usr/local/sbin", os.environ.get("PATH", os.defpath)])
FETCH_S = 100.0
STOP_S = 10.0
SETTINGS = """
[databases]
* = host={host} port={port} user={user}{password}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = {size}
max_client_conn = 500
server_round_robin = {round_robin}
"""


class PgBouncer:
    """A PgBouncer before the PostgreSQL of the tests, on a port that it keeps through `kill` and `start`."""

    def __init__(self, folder: Path, store: str, mode: str, size: int, *, round_robin: bool) -> None:
        self.port = free_port()
        self._folder = folder
        self._account = postgres_account(folder)
        self._process: subprocess.Popen[bytes] | None = None
        parts = urlsplit(store)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        (folder / "pgbouncer.ini").write_text(
            SETTINGS.format(
                host=query.get("host") or parts.hostname,
                port=query.get("port") or parts.port or 5432,
                user=parts.username or query.get("user") or pwd.getpwuid(os.geteuid()).pw_name,
                password=f" password={parts.password}" if parts.password else "",
                listen_port=self.port,
                mode=mode,
                size=size,
                round_robin=int(round_robin),
            )
        )

    def url(self, store: str) -> str:
        """Return where a database of that PostgreSQL is through this pooler."""
        return f"postgresql://anybody@127.0.0.1:{self.port}{urlsplit(store).path}"

    def start(self) -> None:
        """Start it, and wait until it listens."""
        program, libraries = pgbouncer()
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [shutil.copy(program, self._folder), "-q", "pgbouncer.ini"],
                cwd=self._folder,
                env={**os.environ, "LD_LIBRARY_PATH": _copied(libraries, self._folder)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                **(self._account.process_options() if self._account else {}),
            )
        _wait_until_ready(self.port, self._process)

    def kill(self) -> None:
        """Kill it, as `kill -9` does; all connections are cut."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOP_S)
            self._process = None

    def log(self) -> str:
        """Return what it wrote."""
        return (self._folder / "log").read_text(errors="replace")


@contextmanager
def running_pgbouncer(
    store: str, mode: str = "transaction", size: int = 3, *, round_robin: bool = True
) -> Iterator[PgBouncer]:
    """Run a pooler with `size` connections to each database of the PostgreSQL that `store` names.

    Without `round_robin` it hands out what was used last, as PgBouncer does unless it is told otherwise.
    """
    with tempfile.TemporaryDirectory(prefix="stepwell-pgbouncer-") as folder:
        Path(folder).chmod(0o755)  # as root, it runs as another user
        pooler = PgBouncer(Path(folder), store, mode, size, round_robin=round_robin)
        pooler.start()
        try:
            yield pooler
        finally:
            pooler.kill()


@cache
def pgbouncer() -> tuple[Path, Path | None]:
    """Return the program, and the folder of the libraries that it needs beside the system's."""
    named = os.environ.get("STEPWELL_PGBOUNCER") or shutil.which("pgbouncer", path=SYSTEM_PATH)
    if named:
        return Path(named), None
    with alone(UNPACKED):
        if not (UNPACKED / "usr").exists():
            _fetch()
    (library,) = UNPACKED.glob("usr/lib/*/libevent-2*.so.?")
    return UNPACKED / "usr" / "sbin" / "pgbouncer", library.parent


def _copied(libraries: Path | None, folder: Path) -> str:
    """Copy the libraries to where whoever runs the program may read them."""
    if libraries is None:
        return os.environ.get("LD_LIBRARY_PATH", "")
    shutil.copytree(libraries, folder / "lib", dirs_exist_ok=True)
    return str(folder / "lib")


def _fetch() -> None:
    """Unpack Debian's packages: the program's, and those of the libraries that it names."""
    assert shutil.which("apt-get"), "PgBouncer is missing: install it, or name it in STEPWELL_PGBOUNCER"
    with tempfile.TemporaryDirectory(dir=UNPACKED) as folder:
        options: list[str] = []
        depends = _output("apt-cache", "depends", "pgbouncer")
        if not depends:  # a machine that has no lists yet; those of the system are root's
            state = Path(folder, "apt")
            (state / "lists" / "partial").mkdir(parents=True)
            (state / "cache" / "archives" / "partial").mkdir(parents=True)
            options = [f"-oDir::State::Lists={state}/lists", f"-oDir::Cache={state}/cache"]
            options += [f"-oAPT::Sandbox::User={pwd.getpwuid(os.geteuid()).pw_name}"]
            _run(folder, "apt-get", *options, "-qq", "update")
            depends = _output("apt-cache", *options, "depends", "pgbouncer")
        libraries = re.findall(r"Depends: (lib(?!c6\b)[\w.+-]+)", depends)
        _run(folder, "apt-get", *options, "-qq", "download", "pgbouncer", *libraries)
        for package in Path(folder).glob("*.deb"):
            _run(folder, "dpkg-deb", "-x", package.name, "unpacked")
        Path(folder, "unpacked", "usr").rename(UNPACKED / "usr")


def _run(folder: str, *command: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=FETCH_S, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=FETCH_S, check=False).stdout
