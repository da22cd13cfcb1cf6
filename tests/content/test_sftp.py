"""What SFTP alone needs: the host's key, keys of ours, connections that are shared, cut and made anew, and no locks."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from stepwell import StepwellClient
from stepwell_server.errors import InvalidArgumentError, UnavailableError
from stepwell_server.store.content.sftp.addresses import parse, sftp_root
from stepwell_server.store.content.sftp.connections import CONNECTIONS_MAX, SftpConnections
from stepwell_server.store.content.sftp.store import SftpContentStore, opened
from tests.content.conftest import MIB, file_of, pieces_of, whole
from tests.harness.processes import ServerFailedError, ServerProcess
from tests.harness.proxy import Proxy, Way
from tests.harness.sftp import USER, SftpServer, sftp_server

pytestmark = pytest.mark.xdist_group("sftp")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SftpServer]:
    with sftp_server(tmp_path_factory.mktemp("sftp")) as server:
        yield server


@pytest.fixture
def sftp(running: SftpServer, monkeypatch: pytest.MonkeyPatch) -> SftpServer:
    for name, value in running.environment().items():
        monkeypatch.setenv(name, value)
    return running


@pytest.fixture
def proxy(sftp: SftpServer) -> Iterator[Proxy]:
    with Proxy(sftp.port) as between:
        sftp.trust(between.port)
        yield between


@pytest.mark.parametrize(
    ("location", "root"),
    [
        ("sftp://me@Files.example.org:22/data/", "sftp://me@files.example.org/data"),
        ("sftp://files/data/team", "sftp://files/data/team"),
        ("sftp://me@[::1]:2222/ü", "sftp://me@[::1]:2222/ü"),
    ],
)
def test_places_have_one_form(location: str, root: str) -> None:
    assert sftp_root(location) == root == parse(root).root


@pytest.mark.parametrize(
    ("location", "text"),
    [
        ("sftp://me:secret@files/data", "ssh-copy-id me@files"),
        ("sftp://me:@files/data", "has a password"),
        ("sftp://files", "the form is sftp://user@host/path"),
        ("sftp://files/", "names no folder"),
        ("sftp://files/a/../b", "'..'"),
        ("sftp://files/a?b", "'?'"),
        ("sftp://files:0/a", "names no folder"),
        ("sftp:///a", "names no folder"),
        ("sftp://-oProxyCommand=x/a", "names no folder"),
    ],
)
def test_what_is_no_place_is_refused(location: str, text: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        sftp_root(location)
    assert text in str(caught.value)
    assert "secret" not in str(caught.value)


async def test_a_host_has_to_be_known_and_to_know_us(sftp: SftpServer) -> None:
    known = sftp.home / ".ssh" / "known_hosts"
    right = known.read_text()
    other = (sftp.home / ".ssh" / "id_ed25519.pub").read_text()
    root = f"{sftp.root()}/x"
    try:
        for wrong in ("", f"[127.0.0.1]:{sftp.port} {other}"):
            known.write_text(wrong)
            with pytest.raises(InvalidArgumentError) as caught:
                await opened(root, 60).__aenter__()
            assert f"ssh-keyscan -p {sftp.port} 127.0.0.1 >> ~/.ssh/known_hosts" in str(caught.value)
            assert f"ssh-keygen -R '[127.0.0.1]:{sftp.port}'" in str(caught.value)
    finally:
        known.write_text(right)
    key = sftp.home / ".ssh" / "id_ed25519"
    key.rename(sftp.home / "away")
    try:
        with pytest.raises(InvalidArgumentError, match=rf"ssh-copy-id -p {sftp.port} {USER}@127.0.0.1"):
            await opened(root, 60).__aenter__()
    finally:
        (sftp.home / "away").rename(key)


async def test_connections_are_shared_and_made_anew(sftp: SftpServer, proxy: Proxy) -> None:
    async with opened(f"{sftp.root(proxy.port)}/shared", 60) as content:
        data = os.urandom(MIB)
        keys = [f"ab/{number}" for number in range(30)]
        await asyncio.gather(*(content.write(key, 0, pieces_of(data), file_of(data)) for key in keys))
        assert proxy.connections == CONNECTIONS_MAX
        proxy.cut()
        assert await asyncio.gather(*(content.size_bytes(key) for key in keys)) == [MIB] * 30
        assert await whole(content, keys[0]) == data
        proxy.refuse()
        with pytest.raises(UnavailableError, match=f"127.0.0.1:{proxy.port} cannot be reached"):
            await content.size_bytes(keys[0])
        proxy.heal()
        assert await content.verify(keys[0], file_of(data)) == ""


async def test_a_server_that_is_away_at_the_start_is_used_when_it_is_back(
    sftp: SftpServer, proxy: Proxy
) -> None:
    proxy.refuse()
    async with opened(f"{sftp.root(proxy.port)}/later", 60) as content:
        with pytest.raises(UnavailableError):
            await content.write_small([("ab/x", b"1")])
        proxy.heal()
        await content.write_small([("ab/x", b"1")])
        assert await whole(content, "ab/x") == b"1"


async def test_cut_transfers_leave_nothing_visible_and_go_on(sftp: SftpServer, proxy: Proxy) -> None:
    data = os.urandom(12 * MIB)
    file = file_of(data)

    async def cut_in_the_middle() -> AsyncIterator[bytes]:
        async for piece in pieces_of(data[: 8 * MIB]):
            yield piece
        proxy.cut()
        async for piece in pieces_of(data[8 * MIB :]):
            yield piece

    async with opened(f"{sftp.root(proxy.port)}/cut", 60) as content:
        with pytest.raises(UnavailableError):
            await content.write("ab/x", 0, cut_in_the_middle(), file)
        assert await content.size_bytes("ab/x") is None
        held = await content.held_bytes("ab/x", file)
        assert 0 < held <= 8 * MIB
        before = proxy.bytes_passed[Way.UP]
        await content.write("ab/x", held, pieces_of(data[held:]), file)
        assert proxy.bytes_passed[Way.UP] - before < len(data)
        assert await content.verify("ab/x", file) == ""
        with suppress(UnavailableError):
            await content.receive("ab/y", cut_in_the_middle(), None)
        await content.remove("ab/y", None)
    assert [name for name in sftp.objects() if name.startswith("cut/")] == ["cut/content/ab/x"]


async def test_another_server_goes_on_in_a_copy(sftp: SftpServer) -> None:
    """What the first one still writes, because nobody told it that it is dead, reaches nothing that is visible."""
    data = os.urandom(6 * MIB)
    file = file_of(data)
    half, on = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        async for piece in pieces_of(data[: 5 * MIB]):
            yield piece
        half.set()
        await on.wait()
        yield bytes(MIB)  # not what was announced

    first = SftpConnections(parse(f"{sftp.root()}/two"))
    second = SftpConnections(parse(f"{sftp.root()}/two"))
    one, other = SftpContentStore(first), SftpContentStore(second)
    writing = asyncio.create_task(one.write("ab/x", 0, slowly(), file))
    await half.wait()
    held = 0
    while held < MIB:
        held = await other.held_bytes("ab/x", file)
    await other.write("ab/x", held, pieces_of(data[held:]), file)
    on.set()
    with pytest.raises((InvalidArgumentError, UnavailableError)):
        await writing
    assert await other.verify("ab/x", file) == ""
    assert [name for name in sftp.objects() if name.startswith("two/")] == ["two/content/ab/x"]
    await first.close()
    await second.close()


def test_a_stepwell_server_on_sftp_that_is_killed(
    database_url: str, start_server: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    with sftp_server(tmp_path / "sftp") as sftp:
        options = (
            "--store",
            database_url,
            "--data",
            str(tmp_path / "data"),
            "--artifacts",
            f"{sftp.root()}/a b",
        )
        unknown = {**sftp.environment(), "HOME": str(tmp_path)}
        with pytest.raises(ServerFailedError, match="ssh-keyscan -p"):
            start_server(*options, environment=unknown)
        client = StepwellClient(start_server(*options, environment=sftp.environment()).tracking_uri)
        run_id = client.create_run("0").info.run_id
        source = tmp_path / "large.bin"
        source.write_bytes(os.urandom(9 * MIB))
        sftp.process.kill()
        sftp.process.wait()
        with sftp_server(tmp_path / "sftp", sftp.port):
            client.log_artifact(run_id, str(source))
            found = Path(client.download_artifacts(run_id, "large.bin", str(tmp_path / "out")))
            assert found.read_bytes() == source.read_bytes()
