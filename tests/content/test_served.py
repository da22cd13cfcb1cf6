"""One server with places of all kinds, as its clients see it: files of odd names, faults of the network, kill -9."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from stepwell import StepwellClient
from stepwell.files import bucket, uploads
from stepwell.files.calls import ArtifactCalls
from stepwell.files.outgoing import outbox
from stepwell_server.store.content.locations import Locations
from stepwell_server.store.content.roots import OpenContentStores
from tests.content.conftest import MIB
from tests.harness.client_errors import refused
from tests.harness.content.stores import BUCKETS, STORES, Store
from tests.harness.network.faults import BrokenServer, Meanwhile, passed, until
from tests.harness.network.proxy import Proxy, Way
from tests.harness.servers.processes import ServerProcess
from tests.harness.servers.shared import server_of_many

PART = 16 * MIB
# The name of what a cloud holds of an upload: its key, and its own name.
UPLOAD = re.compile(r"(.*)\.parts[-/](\w+)")
SCRIPT = """
import sys, stepwell
stepwell.StepwellClient(sys.argv[1]).log_artifact(sys.argv[2], sys.argv[3])
"""

# All of them in one worker, because they have one server.
pytestmark = pytest.mark.xdist_group("stores-served")
of_all = pytest.mark.parametrize("kind", STORES)
# tests/faults has the same for folders and S3.
of_clouds = pytest.mark.parametrize("kind", ["azure", "gcs"])
of_others = pytest.mark.parametrize("kind", ["azure", "gcs", "sftp"])


@dataclass(frozen=True, slots=True)
class Served:
    """The places of all kinds, the network before each, and a server that has them."""

    stores: dict[str, Store]
    proxies: dict[str, Proxy]
    server: ServerProcess

    def environment(self) -> dict[str, str]:
        """Return what the server has to know."""
        found: dict[str, str] = {}
        for kind, store in self.stores.items():
            found |= store.environment(self.proxies[kind].port if kind in self.proxies else None)
        return found


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with ExitStack() as stack:
        stores = {
            kind: stack.enter_context(opened(tmp_path_factory.mktemp(kind)))
            for kind, opened in STORES.items()
        }
        proxies = {
            kind: stack.enter_context(Proxy(store.port)) for kind, store in stores.items() if store.port
        }
        stores |= {kind: stores[kind].behind(proxy.port) for kind, proxy in proxies.items()}
        found = Served(stores, proxies, None)  # type: ignore[arg-type]
        options = [word for kind in proxies for word in ("--artifact-bucket", stores[kind].root)]
        folder = stores["folder"].root.removeprefix("file://")
        options += ["--artifact-folder", folder]
        server = stack.enter_context(
            server_of_many(tmp_path_factory, *options, environment=found.environment())
        )
        yield Served(stores, proxies, server)


@pytest.fixture(scope="module")
def impatient(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The same places with a server that soon gives up uploads for which nothing happens."""
    options = [word for kind in served.proxies for word in ("--artifact-bucket", served.stores[kind].root)]
    options += ["--artifact-idle", "2"]
    with server_of_many(tmp_path_factory, *options, environment=served.environment()) as server:
        yield replace(served, server=server)


class Place:
    """A run whose artifacts go to a place of a kind."""

    def __init__(self, served: Served, kind: str) -> None:
        self.proxy = served.proxies.get(kind)
        self.store = served.stores[kind].below()
        self.client = StepwellClient(served.server.tracking_uri)
        name = place = self.store.root
        self.experiment_id = self.client.create_experiment(name, artifact_location=place)
        self.run_id = self.client.create_run(self.experiment_id).info.run_id

    def names(self) -> list[str]:
        return [info.path for info in self.client.list_artifacts(self.run_id)]

    def fetched(self, path: str, folder: Path) -> bytes:
        return Path(self.client.download_artifacts(self.run_id, path, str(folder))).read_bytes()

    def script(self, source: Path) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", SCRIPT, self.client.tracking_uri, self.run_id, str(source)]
        return subprocess.Popen(command)


@pytest.fixture
def place(served: Served, kind: str) -> Iterator[Place]:
    found = Place(served, kind)
    yield found
    if found.proxy is not None:
        found.proxy.redirect(found.store.port)
        found.proxy.heal()


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPWELL_REACH_TIMEOUT_S", "20")
    monkeypatch.setenv("STEPWELL_ARTIFACT_HOSTS", "127.0.0.1")
    monkeypatch.setenv("STEPWELL_ON_UNREACHABLE", "raise")
    monkeypatch.setattr(outbox, "_away_until", {})
    monkeypatch.setattr(uploads, "_out_of_reach_until", {})


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file of two parts."""
    path = tmp_path / "large.bin"
    path.write_bytes(os.urandom(PART + 5 * MIB))
    return path


@of_all
@pytest.mark.parametrize("way", ["auto", "server"])
def test_files_of_all_sizes_and_names(
    place: Place, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setenv("STEPWELL_ARTIFACT_TRANSFER", way)
    long = "/".join(["ü" * 120] * 4)
    names = [
        "empty",
        "with space.txt",
        "50%25 #1?.txt",
        "a&b=c+d;e",
        f"{long}/{'n' * (999 - len(long.encode()))}",
    ]
    assert len(names[-1].encode()) == 1_000
    folder = tmp_path / "logged"
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode() * number)
    source.rename(folder / "large.bin")
    (folder / "middle.bin").write_bytes(os.urandom(3 * MIB))
    place.client.log_artifacts(place.run_id, str(folder))
    out = Path(place.client.download_artifacts(place.run_id, "", str(tmp_path / "out")))
    logged = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()} == logged
    sizes = sorted(map(len, logged.values()))
    assert sorted(place.store.objects().values()) == sizes
    # Equal content is there once, and goes with the last artifact that shows it.
    place.client.log_artifacts(place.run_id, str(folder), "again")
    assert sorted(place.store.objects().values()) == sizes
    for path in ("again", ""):
        place.client.delete_artifacts(place.run_id, path)
    assert place.store.objects() == {}


@of_others
def test_cuts_in_mid_part(place: Place, source: Path, tmp_path: Path) -> None:
    assert place.proxy is not None
    place.proxy.slow(10e6)
    logging = Meanwhile(lambda: place.client.log_artifact(place.run_id, source))
    for _ in range(2):
        until(passed(place.proxy, Way.UP, 3 * MIB))
        place.proxy.cut()
    place.proxy.heal()
    logging.result()
    place.proxy.slow(10e6)
    fetching = Meanwhile(lambda: place.fetched("large.bin", tmp_path / "out"))
    for _ in range(2):
        until(passed(place.proxy, Way.DOWN, 3 * MIB))
        place.proxy.cut()
    place.proxy.heal()
    fetching.result()
    assert (tmp_path / "out" / "large.bin").read_bytes() == source.read_bytes()
    assert list(place.store.objects().values()) == [source.stat().st_size]


@of_clouds
@pytest.mark.parametrize("status", [503, 429])
def test_a_cloud_that_is_busy_for_a_while(place: Place, tmp_path: Path, status: int) -> None:
    assert place.proxy is not None
    middle = tmp_path / "middle"
    middle.write_bytes(os.urandom(3 * MIB))
    with BrokenServer(status) as port:
        place.proxy.redirect(port)
        place.proxy.cut()
        connections = place.proxy.connections
        logging = Meanwhile(lambda: place.client.log_artifact(place.run_id, middle))
        until(lambda: place.proxy.connections > connections)
        place.proxy.redirect(place.store.port)
        place.proxy.cut()
        logging.result()
    assert place.fetched("middle", tmp_path / "out") == middle.read_bytes()


@of_clouds
def test_a_cloud_that_refuses_is_told(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert place.proxy is not None
    monkeypatch.setenv("STEPWELL_ARTIFACT_ATTEMPTS", "1")
    monkeypatch.setenv("STEPWELL_ARTIFACT_TRANSFER", "server")
    with BrokenServer(403) as port:
        place.proxy.redirect(port)
        place.proxy.cut()
        with refused("TEMPORARILY_UNAVAILABLE", "403"):
            place.client.log_text(place.run_id, "text", "small.txt")
    assert place.names() == []


@of_clouds
def test_an_address_that_has_expired_is_replaced(
    place: Place, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stand-in of Google looks at no signature: so what a cloud answers then is put in its place."""
    real, failures = bucket.Session.put, []

    def expired(self: bucket.Session, url: str, *arguments: object) -> str:
        if failures:
            return real(self, url, *arguments)  # type: ignore[arg-type]
        failures.append(url)
        return real(self, url.replace("sig=", "sig=0"), *arguments) if "sig=" in url else _refused()  # type: ignore[arg-type]

    def _refused() -> str:
        raise bucket.RefusedError("the bucket answered 400 ExpiredToken")

    monkeypatch.setattr(bucket.Session, "put", expired)
    monkeypatch.setenv("STEPWELL_ARTIFACT_PARTS_AT_ONCE", "1")
    place.client.log_artifact(place.run_id, source)
    assert failures
    assert place.fetched("large.bin", tmp_path / "out") == source.read_bytes()


@pytest.mark.parametrize("kind", BUCKETS)
def test_a_folder_comes_by_the_addresses_of_its_listing(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "logged"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number} #?%").write_bytes(os.urandom(1_000))
    place.client.log_artifacts(place.run_id, str(folder))
    real_fetch, real_ask, fetched, asked = bucket.Session.get, ArtifactCalls.get, [], []

    def fetch(self: bucket.Session, url: str, *arguments: Any) -> None:
        fetched.append(url)
        if fetched[0] == url and fetched.count(url) == 1:
            raise bucket.RefusedError("the bucket answered 403 ExpiredToken")
        real_fetch(self, url, *arguments)

    def ask(self: ArtifactCalls, run_id: str, path: str, *, direct: bool) -> Any:
        asked.append(path)
        return real_ask(self, run_id, path, direct=direct)

    monkeypatch.setattr(bucket.Session, "get", fetch)
    monkeypatch.setattr(ArtifactCalls, "get", ask)
    out = Path(place.client.download_artifacts(place.run_id, "", str(tmp_path / "out")))
    for path in folder.iterdir():
        assert (out / path.name).read_bytes() == path.read_bytes()
    # One of them was asked for again.
    assert (len(fetched), len(asked)) == (6, 1)


@of_clouds
def test_a_client_that_is_killed(
    place: Place, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert place.proxy is not None
    real, sent = bucket.Session.put, []

    def counted(
        self: bucket.Session, url: str, descriptor: int, offset: int, count: int, *more: object
    ) -> str:
        sent.append(count)
        return real(self, url, descriptor, offset, count, *more)  # type: ignore[arg-type]

    place.proxy.slow(10e6)
    process = place.script(source)
    try:
        until(lambda: any(size >= 5 * MIB for size in place.store.objects().values()))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert place.names() == []
    place.proxy.heal()
    # What the last process brought to its place does not travel again.
    monkeypatch.setattr(bucket.Session, "put", counted)
    place.client.log_artifact(place.run_id, source)
    assert sum(sent) < source.stat().st_size
    assert place.fetched("large.bin", tmp_path / "out") == source.read_bytes()
    assert list(place.store.objects().values()) == [source.stat().st_size]


@of_others
def test_what_a_killed_client_left_goes_when_it_is_idle(impatient: Served, kind: str, source: Path) -> None:
    place = Place(impatient, kind)
    assert place.proxy is not None
    place.proxy.slow(10e6)
    process = place.script(source)
    try:
        until(lambda: bool(place.store.objects()))
        until(passed(place.proxy, Way.UP, 3 * MIB))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    place.proxy.heal()
    until(lambda: place.store.objects() == {})
    assert place.names() == []


@pytest.mark.parametrize(("kind", "way"), [("azure", "server"), ("gcs", "direct"), ("sftp", "server")])
def test_a_server_that_is_killed_and_comes_back(
    served: Served,
    kind: str,
    way: str,
    source: Path,
    tmp_path: Path,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STEPWELL_ARTIFACT_TRANSFER", way)
    proxy, store = served.proxies[kind], served.stores[kind].below()
    options = ("--store", database_url, "--data", str(tmp_path / "data"), "--artifacts", store.root)
    with ExitStack() as stack:
        first = stack.enter_context(ServerProcess(*options, environment=served.environment()))
        to_server = stack.enter_context(Proxy(first.port))
        client = StepwellClient(to_server.tracking_uri)
        run_id = client.create_run("0").info.run_id
        proxy.slow(15e6)
        try:
            logging = Meanwhile(lambda: client.log_artifact(run_id, source))
            until(passed(proxy, Way.UP, 9 * MIB))
            first.kill()
        finally:
            proxy.heal()
        second = stack.enter_context(ServerProcess(*options, environment=served.environment()))
        to_server.redirect(second.port)
        logging.result()
        fetched = Path(client.download_artifacts(run_id, "large.bin", str(tmp_path / "out")))
        assert fetched.read_bytes() == source.read_bytes()
        assert list(store.objects().values()) == [source.stat().st_size]
        client.delete_artifacts(run_id, "")
        assert store.objects() == {}


@of_clouds
def test_parts_that_a_cloud_lost_before_the_end_are_sent_again(
    served: Served, place: Place, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, lost = uploads.Uploader._complete, list[str]()

    def complete(*given: object) -> None:
        if not lost:
            (upload,) = {found.groups() for name in place.store.objects() if (found := UPLOAD.match(name))}
            asyncio.run(lose(place.store, tmp_path, *upload))
            lost.extend(upload)
        real(*given)  # type: ignore[arg-type]

    for name, value in served.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(uploads.Uploader, "_complete", complete)
    place.client.log_artifact(place.run_id, source)
    assert lost
    assert place.fetched("large.bin", tmp_path / "out") == source.read_bytes()
    assert list(place.store.objects().values()) == [source.stat().st_size]


async def lose(store: Store, data: Path, key: str, multipart_id: str) -> None:
    """Remove all parts of an upload from a bucket."""
    async with OpenContentStores(data, Locations(store.root), 60) as stores:
        direct = (await stores.open(store.root)).direct
        assert direct is not None
        await direct.abandon_parts(key, multipart_id)


@of_clouds
def test_parts_as_mlflows_clients_send_them(served: Served, place: Place) -> None:
    base = f"{served.server.url.rstrip('/')}/api/2.0/mlflow-artifacts"
    below = f"{place.experiment_id}/{place.run_id}/artifacts"

    def ask(what: str, **fields: object) -> dict[str, Any]:
        data = json.dumps(fields).encode() if fields else None
        request = urllib.request.Request(
            f"{base}/{what}", data=data, headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request) as answer:
            return json.loads(answer.read())

    def sent(url: str, data: bytes) -> str:
        with urllib.request.urlopen(urllib.request.Request(url, data=data, method="PUT")) as answer:
            return answer.headers.get("ETag", "")

    parts = [os.urandom(6 * MIB), os.urandom(MIB)]
    begun = ask(f"mpu/create/{below}/m", path="big.bin", num_parts=2)
    tags = [
        {"part_number": it["part_number"], "etag": sent(it["url"], data)}
        for it, data in zip(begun["credentials"], parts, strict=True)
    ]
    assert place.names() == []
    ask(f"mpu/complete/{below}/m", path="big.bin", upload_id=begun["upload_id"], parts=tags)
    with urllib.request.urlopen(ask(f"presigned/{below}/m/big.bin")["url"]) as answer:
        assert answer.read() == b"".join(parts)
    other = ask(f"mpu/create/{below}", path="other.bin", num_parts=1)
    sent(other["credentials"][0]["url"], parts[1])
    ask(f"mpu/abort/{below}", path="other.bin", upload_id=other["upload_id"])
    assert list(place.store.objects().values()) == [7 * MIB]
