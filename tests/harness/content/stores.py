"""All kinds of places for artifacts, one line a kind: what runs before it, and how a server is told of it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from uuid import uuid4

from tests.harness.content import openssh
from tests.harness.content.clouds import azure_server, google_server
from tests.harness.content.files import files_below
from tests.harness.content.openssh import openssh_server
from tests.harness.content.s3 import BUCKET, s3_server
from tests.harness.content.sftp import SftpServer, sftp_server


@dataclass(frozen=True, slots=True)
class Store:
    """A place where content can be: `port` is where its server listens, 0 if there is none."""

    root: str
    port: int = 0
    environment: Callable[[int | None], Mapping[str, str]] = field(default=lambda port: {})
    listed: Callable[[], Mapping[str, int]] = field(default=dict)
    # Of a kind that names ports: the root where its server is reached at another one.
    root_at: Callable[[int], str] | None = None

    def below(self) -> "Store":
        """Return a place of its own, for one test."""
        return replace(self, root=f"{self.root}/{uuid4().hex}", root_at=None)

    def behind(self, port: int) -> "Store":
        """Return the same place as it is named where its server is reached at another port."""
        return self if self.root_at is None else replace(self, root=self.root_at(port))

    def objects(self) -> dict[str, int]:
        """Return what lies there, also what is unfinished: sizes by key."""
        prefix = f"{self.root.partition('://')[2].partition('/')[2]}/"
        return {
            name.removeprefix(prefix): size for name, size in self.listed().items() if name.startswith(prefix)
        }


@contextmanager
def _folder(folder: Path) -> Iterator[Store]:
    def listed() -> dict[str, int]:
        return {str(path).lstrip("/"): path.stat().st_size for path in files_below(folder)}

    yield Store(f"file://{folder}", listed=listed)


@contextmanager
def _s3(folder: Path, *, with_md5: bool = True) -> Iterator[Store]:
    with s3_server(folder, with_md5=with_md5) as server:
        yield Store(
            f"s3://{BUCKET}",
            server.port,
            lambda port: server.environment(f"http://127.0.0.1:{port or server.port}"),
            server.objects,
        )


@contextmanager
def _azure(folder: Path) -> Iterator[Store]:
    with azure_server(folder) as server:
        yield Store(server.root, server.port, server.environment, server.objects)


@contextmanager
def _google(folder: Path) -> Iterator[Store]:
    with google_server(folder) as server:
        yield Store(server.root, server.port, server.environment, server.objects)


@contextmanager
def _sftp(folder: Path) -> Iterator[Store]:
    with sftp_server(folder) as server:
        yield _of_sftp(server)


@contextmanager
def _openssh(folder: Path) -> Iterator[Store]:
    with openssh_server() as server:
        yield _of_sftp(server)


def _of_sftp(server: SftpServer) -> Store:
    def root_at(port: int) -> str:
        server.trust(port)
        return f"{server.root(port)}/team"

    return Store(
        root_at(server.port), server.port, lambda port: server.environment(), server.objects, root_at
    )


STORES: Mapping[str, Callable[[Path], AbstractContextManager[Store]]] = {
    "folder": _folder,
    "s3": _s3,
    "azure": _azure,
    "gcs": _google,
    "sftp": _sftp,
}
# The same, S3 as benchmarks have it, too, and OpenSSH's server beside asyncssh's.
ALL_SERVERS = {
    **STORES,
    "s3-no-md5": partial(_s3, with_md5=False),
    **({"openssh": _openssh} if openssh.is_to_be_had() else {}),
}
# The same with OpenSSH's server, where it is to be had, in the place of asyncssh's.
WITH_OPENSSH = {**STORES, "sftp": _openssh} if openssh.is_to_be_had() else STORES
# Those that clients reach by addresses.
BUCKETS = ("s3", "azure", "gcs")
