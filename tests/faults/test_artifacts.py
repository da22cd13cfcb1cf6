"""Artifacts through faults: then there is the whole file with the right hash, or none, and nothing is left over."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from stepwell import StepwellClient, StepwellException
from stepwell.files import bucket, uploads
from stepwell.files.outgoing import outbox
from tests.harness.client_errors import refused
from tests.harness.content.files import files_below
from tests.harness.content.s3 import BUCKET, S3Server, s3_server
from tests.harness.network.faults import BrokenServer, Meanwhile, passed, until
from tests.harness.network.proxy import Proxy, Way
from tests.harness.servers.processes import ServerProcess

MIB = 1024 * 1024
PART = 16 * MIB
SCRIPT = """
import sys, stepwell
stepwell.StepwellClient(sys.argv[1]).log_artifact(sys.argv[2], sys.argv[3])
"""


class Place:
    """A server, the network before what keeps its bytes, and what lies there."""

    def __init__(self, server: ServerProcess, proxy: Proxy, folder: Path) -> None:
        self.server = server
        self.proxy = proxy
        self.folder = folder
        self.client = StepwellClient(server.tracking_uri)
        self.run_id = self.client.create_run("0").info.run_id

    def files(self) -> list[Path]:
        return files_below(self.folder)

    def names(self) -> list[str]:
        return [info.path for info in self.client.list_artifacts(self.run_id)]

    def fetched(self, path: str, folder: Path) -> bytes:
        return Path(self.client.download_artifacts(self.run_id, path, str(folder))).read_bytes()


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STEPWELL_SPOOL_DIR", str(tmp_path / "spool"))
    monkeypatch.setenv("STEPWELL_REACH_TIMEOUT_S", "20")
    monkeypatch.setenv("STEPWELL_ARTIFACT_HOSTS", "127.0.0.1")
    monkeypatch.setenv("STEPWELL_ON_UNREACHABLE", "raise")
    monkeypatch.setattr(outbox, "_away_until", {})
    monkeypatch.setattr(uploads, "_out_of_reach_until", {})


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[S3Server]:
    with s3_server(tmp_path / "s3") as running:
        yield running


@pytest.fixture
def idle_s() -> str:
    """After how many seconds the server gives an upload up."""
    return "600"


@pytest.fixture
def bucket_place(
    database_url: str, s3: S3Server, start_server: Callable[..., ServerProcess], tmp_path: Path, idle_s: str
) -> Iterator[Place]:
    """A server on a bucket, which everybody reaches through the proxy."""
    with Proxy(s3.port) as proxy:
        server = start_server(
            *("--store", database_url, "--data", str(tmp_path / "data"), "--artifact-idle", idle_s),
            *("--artifacts", f"s3://{BUCKET}/a", "--artifact-address", "2"),
            environment=s3.environment(f"http://127.0.0.1:{proxy.port}"),
        )
        yield Place(server, proxy, s3.folder / BUCKET)


@pytest.fixture
def folder_place(
    database_url: str, start_server: Callable[..., ServerProcess], tmp_path: Path, idle_s: str
) -> Iterator[Place]:
    """A server on a folder, which clients reach through the proxy."""
    options = ("--store", database_url, "--data", str(tmp_path / "data"), "--artifact-idle", idle_s)
    server = start_server(*options)
    with Proxy(server.port) as proxy:
        place = Place(server, proxy, tmp_path / "data" / "artifacts")
        place.client = StepwellClient(proxy.tracking_uri)
        yield place


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file of three parts."""
    path = tmp_path / "large.bin"
    path.write_bytes(os.urandom(2 * PART + 5 * MIB))
    return path


@pytest.fixture(params=["bucket", "folder"])
def place(request: pytest.FixtureRequest) -> Place:
    return request.getfixturevalue(f"{request.param}_place")


def test_cut_uploads_go_on(place: Place, source: Path, tmp_path: Path) -> None:
    place.proxy.slow(10e6)  # so slow that three cuts fall into the transfer, also when this test is late
    logging = Meanwhile(lambda: place.client.log_artifact(place.run_id, source))
    for _ in range(3):
        until(passed(place.proxy, Way.UP, 3 * MIB))
        place.proxy.cut()
    place.proxy.heal()
    logging.result()
    assert place.fetched("large.bin", tmp_path / "out") == source.read_bytes()
    assert [path.stat().st_size for path in place.files()] == [source.stat().st_size]


def test_cut_downloads_go_on(place: Place, source: Path, tmp_path: Path) -> None:
    place.client.log_artifact(place.run_id, source)
    place.proxy.slow(10e6)  # so slow that three cuts fall into the transfer, also when this test is late
    fetching = Meanwhile(lambda: place.fetched("large.bin", tmp_path / "out"))
    for _ in range(3):
        until(passed(place.proxy, Way.DOWN, 3 * MIB))
        place.proxy.cut()
    place.proxy.heal()
    fetching.result()
    assert (tmp_path / "out" / "large.bin").read_bytes() == source.read_bytes()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["large.bin"]


@pytest.mark.parametrize("idle_s", ["4"])
def test_a_client_that_is_killed_leaves_nothing_visible_and_nothing_for_long(
    place: Place, source: Path, idle_s: str
) -> None:
    place.proxy.slow(20e6)
    uri = place.client.tracking_uri
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, uri, place.run_id, str(source)])
    try:
        until(passed(place.proxy, Way.UP, PART))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    place.proxy.heal()
    assert place.names() == []
    until(lambda: place.files() == [])


def test_a_killed_upload_is_taken_up_by_the_next_process(place: Place, source: Path, tmp_path: Path) -> None:
    place.proxy.slow(20e6)
    command = [sys.executable, "-c", SCRIPT, place.client.tracking_uri, place.run_id, str(source)]
    process = subprocess.Popen(command)
    try:
        until(passed(place.proxy, Way.UP, 3 * PART // 2 if place.folder.name == "artifacts" else 36 * MIB))
    finally:
        process.kill()
        process.wait()
    place.proxy.heal()
    before = place.proxy.bytes_passed[Way.UP]
    place.client.log_artifact(place.run_id, source)
    assert place.proxy.bytes_passed[Way.UP] - before < source.stat().st_size - 8 * MIB
    assert place.fetched("large.bin", tmp_path / "out") == source.read_bytes()


def test_a_server_that_is_killed_and_comes_back(
    folder_place: Place,
    source: Path,
    tmp_path: Path,
    database_url: str,
    start_server: Callable[..., ServerProcess],
) -> None:
    folder_place.proxy.slow(30e6)
    logging = Meanwhile(lambda: folder_place.client.log_artifact(folder_place.run_id, source))
    until(passed(folder_place.proxy, Way.UP, PART))
    folder_place.server.kill()
    again = start_server("--store", database_url, "--data", str(tmp_path / "data"))
    folder_place.proxy.redirect(again.port)
    folder_place.proxy.heal()
    logging.result()
    assert folder_place.fetched("large.bin", tmp_path / "out") == source.read_bytes()
    assert [path.stat().st_size for path in folder_place.files()] == [source.stat().st_size]


def test_a_server_that_is_killed_between_bucket_and_database(
    bucket_place: Place,
    s3: S3Server,
    source: Path,
    tmp_path: Path,
    database_url: str,
    start_server: Callable[..., ServerProcess],
) -> None:
    bucket_place.proxy.slow(30e6)
    logging = Meanwhile(lambda: bucket_place.client.log_artifact(bucket_place.run_id, source))
    until(passed(bucket_place.proxy, Way.UP, PART))
    bucket_place.server.kill()
    start_server(
        *(
            "--store",
            database_url,
            "--data",
            str(tmp_path / "data"),
            "--grpc-port",
            str(bucket_place.server.port),
        ),
        *("--artifacts", f"s3://{BUCKET}/a"),
        environment=s3.environment(f"http://127.0.0.1:{bucket_place.proxy.port}"),
    )
    bucket_place.proxy.heal()
    logging.result()
    assert bucket_place.fetched("large.bin", tmp_path / "out") == source.read_bytes()


def test_a_bucket_that_answers_late_is_waited_for(
    bucket_place: Place, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPWELL_ARTIFACT_TIMEOUT_S", "1")
    monkeypatch.setattr(bucket, "ANSWER_PATIENCE", 100)
    size, proxy = source.stat().st_size, bucket_place.proxy
    begun = proxy.bytes_passed[Way.UP]
    logging = Meanwhile(lambda: bucket_place.client.log_artifact(bucket_place.run_id, source))
    until(passed(proxy, Way.UP, MIB))
    proxy.hold(Way.DOWN)
    until(lambda: proxy.bytes_passed[Way.UP] - begun >= size)
    time.sleep(2)  # beyond the patience with a connection on which nothing goes
    proxy.heal()
    logging.result()
    assert proxy.bytes_passed[Way.UP] - begun < size + MIB
    assert bucket_place.fetched("large.bin", tmp_path / "out") == source.read_bytes()


def test_a_part_that_is_sent_twice_and_arrives_late_spoils_nothing(
    bucket_place: Place, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPWELL_ARTIFACT_TIMEOUT_S", "1")
    monkeypatch.setenv("STEPWELL_ARTIFACT_ATTEMPTS", "100")
    monkeypatch.setattr(bucket, "ANSWER_PATIENCE", 1)
    proxy, size = bucket_place.proxy, source.stat().st_size
    send, complete = uploads.PartsUpload.send, uploads.Uploader._complete

    def send_late(self: uploads.PartsUpload) -> Any:
        proxy.delay(3)
        return send(self)

    def complete_then(*given: Any) -> None:
        before = proxy.bytes_passed[Way.UP]
        proxy.heal()
        until(lambda: proxy.bytes_passed[Way.UP] - before >= size)
        complete(*given)

    monkeypatch.setattr(uploads.PartsUpload, "send", send_late)
    monkeypatch.setattr(uploads.Uploader, "_complete", complete_then)
    bucket_place.client.log_artifact(bucket_place.run_id, source)
    assert bucket_place.fetched("large.bin", tmp_path / "out") == source.read_bytes()
    assert [path.stat().st_size for path in bucket_place.files()] == [source.stat().st_size]


def test_parts_that_a_bucket_lost_before_the_end_are_sent_again(
    bucket_place: Place, s3: S3Server, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, again = uploads.Uploader._complete, list[S3Server]()
    with ExitStack() as stack:

        def complete(*given: Any) -> None:
            if not again:  # rclone keeps uploads in its memory
                s3.process.kill()
                s3.process.wait()
                again.append(stack.enter_context(s3_server(s3.folder, s3.port)))
            real(*given)

        monkeypatch.setattr(uploads.Uploader, "_complete", complete)
        bucket_place.client.log_artifact(bucket_place.run_id, source)
        assert bucket_place.fetched("large.bin", tmp_path / "out") == source.read_bytes()


def test_an_address_that_has_expired_is_replaced(
    bucket_place: Place, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failures = bucket.Session.put, []

    def late(*arguments: object) -> str:
        if not failures:
            time.sleep(3)  # an address is valid for 2 s
        try:
            return real(*arguments)
        except bucket.BucketError as failure:
            failures.append(failure)
            raise

    monkeypatch.setattr(bucket.Session, "put", late)
    monkeypatch.setenv("STEPWELL_ARTIFACT_PARTS_AT_ONCE", "1")
    bucket_place.client.log_artifact(bucket_place.run_id, source)
    assert len(failures) == 1
    assert bucket_place.fetched("large.bin", tmp_path / "out") == source.read_bytes()


def test_a_bucket_that_answers_503_for_a_while(bucket_place: Place, s3: S3Server, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.write_bytes(b"x" * 3_000_000)
    with BrokenServer() as port:
        bucket_place.proxy.redirect(port)
        bucket_place.proxy.cut()
        logging = Meanwhile(lambda: bucket_place.client.log_artifact(bucket_place.run_id, small))
        time.sleep(0.5)
        bucket_place.proxy.redirect(s3.port)
        bucket_place.proxy.cut()
        logging.result()
    assert bucket_place.fetched("small", tmp_path / "out") == small.read_bytes()


def test_a_bucket_that_stays_broken_is_told(
    bucket_place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = tmp_path / "small"
    small.write_bytes(b"x")
    monkeypatch.setenv("STEPWELL_ARTIFACT_ATTEMPTS", "2")
    with BrokenServer() as port:
        bucket_place.proxy.redirect(port)
        bucket_place.proxy.cut()
        with refused("TEMPORARILY_UNAVAILABLE", "503"):
            bucket_place.client.log_artifact(bucket_place.run_id, small)
    assert bucket_place.names() == []


def test_a_bucket_out_of_the_clients_reach(
    bucket_place: Place, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: object) -> None:
        raise bucket.UnreachableError("no route")

    monkeypatch.setattr(bucket.Session, "_connect", unreachable)
    bucket_place.client.log_artifact(bucket_place.run_id, source)
    bucket_place.client.log_text(bucket_place.run_id, "small", "t")
    monkeypatch.setattr(uploads, "_out_of_reach_until", {})
    assert bucket_place.fetched("large.bin", tmp_path / "out") == source.read_bytes()
    assert sorted(path.stat().st_size for path in bucket_place.files()) == [5, source.stat().st_size]
    monkeypatch.setenv("STEPWELL_ARTIFACT_TRANSFER", "direct")
    monkeypatch.setenv("STEPWELL_ARTIFACT_ATTEMPTS", "2")
    bucket_place.client.log_text(
        bucket_place.run_id, "other", "u"
    )  # what is small goes through the server anyway
    source.write_bytes(source.read_bytes()[::-1])
    with pytest.raises(StepwellException, match="no route"):
        bucket_place.client.log_artifact(bucket_place.run_id, source)


def test_what_goes_through_the_server_to_a_bucket_goes_on_where_it_was_cut(
    bucket_place: Place, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPWELL_ARTIFACT_TRANSFER", "server")
    size = source.stat().st_size
    with Proxy(bucket_place.server.port) as to_server:
        client = StepwellClient(to_server.tracking_uri)
        to_server.slow(20 * MIB)
        upload = Meanwhile(lambda: client.log_artifact(bucket_place.run_id, source))
        until(passed(bucket_place.proxy, Way.UP, 17 * MIB))
        to_server.cut()
        to_server.heal()
        upload.result()
        # Some parts were in the bucket when it was cut; they are not sent again.
        assert to_server.bytes_passed[Way.UP] < 2 * size - 8 * MIB
    assert bucket_place.fetched("large.bin", tmp_path / "out") == source.read_bytes()
    assert len(bucket_place.files()) == 1


def test_straight_means_that_the_server_moves_nothing(
    bucket_place: Place, s3: S3Server, source: Path, tmp_path: Path
) -> None:
    with Proxy(bucket_place.server.port) as to_server:
        client = StepwellClient(to_server.tracking_uri)
        client.log_artifact(bucket_place.run_id, source)
        fetched = Path(client.download_artifacts(bucket_place.run_id, "large.bin", str(tmp_path / "out")))
        assert hashlib.sha256(fetched.read_bytes()).digest() == hashlib.sha256(source.read_bytes()).digest()
        assert sum(to_server.bytes_passed.values()) < 100_000
