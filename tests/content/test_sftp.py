"""What SFTP alone needs: the host's key, keys of ours, connections that are shared, cut and made anew, and no locks."""

import asyncio
import logging
import os
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import asyncssh
import pytest

from stepwell import StepwellClient
from stepwell_server.errors import InvalidArgumentError, UnavailableError
from stepwell_server.store.content.sftp.addresses import parse, sftp_root
from stepwell_server.store.content.sftp.connections import CONNECTIONS_MAX, SftpConnections, ciphers
from stepwell_server.store.content.sftp.store import SftpContentStore, opened
from tests.content.conftest import MIB, file_of, pieces_of, whole
from tests.harness.content import openssh
from tests.harness.content.openssh import openssh_server
from tests.harness.content.sftp import SftpServer, sftp_server
from tests.harness.network.proxy import Proxy, Way
from tests.harness.servers.processes import ServerFailedError, ServerProcess

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


@pytest.fixture
def host(
    sftp: SftpServer, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SftpServer]:
    """A server that shows who it is: asyncssh's, or OpenSSH's with keys of two kinds."""
    if request.param == "asyncssh":
        yield sftp
        return
    with openssh_server(("ssh-ed25519", "ecdsa-sha2-nistp256")) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.mark.parametrize(
    "host", ["asyncssh", *(["openssh"] if openssh.is_to_be_had() else [])], indirect=True
)
async def test_a_host_has_to_be_known_and_to_know_us(host: SftpServer) -> None:
    known = host.home / ".ssh" / "known_hosts"
    right, other = known.read_text(), host.known_host(key=host.home / ".ssh" / "id_ed25519")
    root, named = f"{host.root()}/x", f"[127.0.0.1]:{host.port}"
    scan = f"ssh-keyscan -p {host.port} 127.0.0.1 >> ~/.ssh/known_hosts"
    fingerprint = asyncssh.read_public_key(
        (host.host_key or host.home / "host_key").with_suffix(".pub")
    ).get_fingerprint()

    async def refusal() -> str:
        with pytest.raises(InvalidArgumentError) as caught:
            async with opened(root, 60):
                pass
        return str(caught.value)

    try:
        for wrong, texts in (
            (None, ("is not in ~/.ssh/known_hosts", scan)),
            ("", ("is not in ~/.ssh/known_hosts", scan)),
            (
                other,
                (
                    f"{named} shows another key",
                    "somebody sits in between",
                    f"ssh-keygen -R '{named}'; {scan}",
                ),
            ),
            (f"@revoked {host.known_host()}", ("is marked as @revoked",)),
        ):
            known.unlink(missing_ok=True) if wrong is None else known.write_text(wrong)
            said = await refusal()
            assert f"ssh-ed25519 {fingerprint}" in said
            assert not [text for text in texts if text not in said], said
    finally:
        known.write_text(right)
    key = host.home / ".ssh" / "id_ed25519"
    key.rename(host.home / "away")
    try:
        assert f"ssh-copy-id -p {host.port} {host.user}@127.0.0.1" in await refusal()
    finally:
        (host.home / "away").rename(key)
    async with opened(root, 60) as content:
        await content.write_small([("ab/x", b"1")])
        assert await whole(content, "ab/x") == b"1"


async def test_fast_ciphers_come_first_unless_the_configuration_names_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    told = tmp_path / ".ssh" / "config"
    told.parent.mkdir()
    told.write_text("Host named\n  Ciphers aes256-ctr\n")
    assert await ciphers(parse("sftp://me@named/x")) == ["aes256-ctr"]
    wished = await ciphers(parse("sftp://me@other/x"))
    assert "gcm" in wished[0]
    assert "chacha20-poly1305@openssh.com" in wished


async def test_a_small_file_takes_few_requests(sftp: SftpServer, caplog: pytest.LogCaptureFixture) -> None:
    """Each takes a round trip unless it is sent along with others."""
    asyncssh.set_log_level(logging.DEBUG)
    asyncssh.set_debug_level(1)

    def asked() -> list[str]:
        said = [record.getMessage().partition("Sending ")[2] for record in caplog.records]
        caplog.clear()
        return [re.split(r" (?:for|request)", text)[0] for text in said if text]

    try:
        async with opened(f"{sftp.root()}/few", 60) as content:
            await content.write_small([("ab/0", b"0")])
            caplog.clear()
            await content.write_small([("ab/1", b"1")])
            assert asked() == ["open", "write", "fsync", "close", "OpenSSH POSIX rename"]
            assert await whole(content, "ab/1") == b"1"
            assert sorted(set(asked())) == ["close", "fstat", "open", "read"]
            await asyncio.gather(*(content.remove(f"ab/{number}", None) for number in range(16)))
            found = asked()
            assert found.count("remove") == 16
            assert found.count("opendir") <= 2
    finally:
        asyncssh.set_log_level(logging.WARNING)


async def test_small_files_that_cannot_be_written_are_not_there(sftp: SftpServer) -> None:
    async with opened(f"{sftp.root()}/small", 60) as content:
        await content.write_small([("ab/x", b"1")])
        unfinished = sftp.folder / "small" / "unfinished"
        unfinished.rmdir()
        large = os.urandom(2 * MIB)  # of more than one request
        await content.write_small([("cd/y", b"2"), ("cd/z", b""), ("cd/large", large)])
        assert [await whole(content, key) for key in ("ab/x", "cd/y", "cd/z", "cd/large")] == [
            b"1",
            b"2",
            b"",
            large,
        ]
        unfinished.rmdir()
        unfinished.write_text("in the way")
        with pytest.raises(UnavailableError):
            await content.write_small([("cd/w", b"2")])
        assert await content.size_bytes("cd/w") is None


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
