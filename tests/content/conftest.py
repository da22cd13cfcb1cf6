"""One table of tests over all kinds of places for artifacts; the servers behind them run once a worker."""

import hashlib
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from stepwell_server.model.artifacts import FileSpec
from stepwell_server.store.content.locations import Locations, default_root
from stepwell_server.store.content.roots import OpenContentStores
from stepwell_server.store.ports.artifacts import ContentStore
from tests.harness.content.stores import BUCKETS, STORES, WITH_OPENSSH, Store

MIB = 1024 * 1024
ADDRESS_S = 60

# One worker has all that is of a kind, so that its server starts once.
of_all = pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.xdist_group(f"store-{kind}")) for kind in STORES]
)
of_buckets = pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.xdist_group(f"store-{kind}")) for kind in BUCKETS]
)


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Store]]:
    """The places that are there, by kind; filled when they are needed."""
    with ExitStack() as stack:

        class Running(dict[str, Store]):
            def __missing__(self, kind: str) -> Store:
                self[kind] = stack.enter_context(WITH_OPENSSH[kind](tmp_path_factory.mktemp(kind)))
                return self[kind]

        yield Running()


@pytest.fixture
def store(kind: str, running: Mapping[str, Store], monkeypatch: pytest.MonkeyPatch) -> Store:
    """A place of the test's own, and what this process has to know to reach it."""
    found = running[kind].below()
    for name, value in found.environment(None).items():
        monkeypatch.setenv(name, value)
    return found


@pytest.fixture
async def content(store: Store, tmp_path: Path) -> AsyncIterator[ContentStore]:
    """The same, as the server opens it."""
    root = default_root(store.root)
    async with OpenContentStores(tmp_path / "data", Locations(root), ADDRESS_S) as stores:
        yield await stores.open(root)


def file_of(data: bytes, path: str = "x") -> FileSpec:
    return FileSpec(path, len(data), hashlib.sha256(data).digest())


async def pieces_of(data: bytes, piece: int = MIB // 2) -> AsyncIterator[bytes]:
    for start in range(0, len(data), piece):
        yield data[start : start + piece]


async def whole(content: ContentStore, key: str, offset: int = 0) -> bytes:
    return b"".join([bytes(piece) async for piece in content.read(key, offset)])


def random_bytes(size: int) -> bytes:
    return os.urandom(size)
