"""A folder that several servers share: all see the same one, or are told; and they keep out of each other's way."""

import asyncio
import errno
import hashlib
import os
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from stepwell import StepwellClient
from stepwell_server.errors import BusyError, StartupError, UnavailableError
from stepwell_server.model.artifacts import FileSpec
from stepwell_server.store.content.folder import FolderContentStore
from stepwell_server.store.content.locations import Locations, default_root
from stepwell_server.store.content.roots import OpenContentStores
from stepwell_server.store.content.shares.marks import MARK_FILE, FolderMarks
from stepwell_server.store.content.shares.mounts import doubts, lock_problem, mount_of
from stepwell_server.store.postgres.pool import Pool
from tests.harness.client_errors import refused
from tests.harness.content.files import files_below
from tests.harness.network.faults import Meanwhile, until
from tests.harness.network.proxy import Proxy, Way
from tests.harness.servers.processes import ServerFailedError, ServerProcess

MIB = 1024 * 1024
TABLE = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /mnt/team\\040one rw,noatime - nfs4 files:/team rw,vers=4.2,hard,local_lock=none
31 22 0:41 / /mnt/alone rw - nfs files:/alone rw,vers=3,nolock,local_lock=all
32 22 0:42 / /mnt/bucket rw - fuse.s3fs s3fs rw
33 30 8:1 /x /mnt/team\\040one/local rw - ext4 /dev/sda1 rw
"""


def test_what_a_folder_is_on() -> None:
    share = mount_of(Path("/mnt/team one/deep"), TABLE)
    assert share is not None
    assert (share.kind, share.source, share.is_shared, doubts(share)) == ("nfs4", "files:/team", True, "")
    alone = doubts(mount_of(Path("/mnt/alone"), TABLE))
    assert "mounted with local_lock=all, nolock" in alone
    assert "use s3://bucket/prefix instead" in doubts(mount_of(Path("/mnt/bucket/a"), TABLE))
    for local in ("/mnt/team one/local/a", "/mnt/teams", "/"):
        found = mount_of(Path(local), TABLE)
        assert found is not None
        assert (found.kind, doubts(found)) == ("ext4", "")
    here = mount_of(Path.cwd())
    assert here is None or here.kind


async def opened(pool: Pool, data: Path, folder: Path) -> OpenContentStores:
    locations = Locations(default_root(str(folder)))
    return await OpenContentStores(data, locations, marks=FolderMarks(pool)).__aenter__()


async def test_the_same_folder_by_another_path_is_the_same_place(pool: Pool, tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "mnt" / "other"
    first = await opened(pool, tmp_path, one)
    root = first.destination("")
    await (await first.open(root)).write_small([("aa/key", b"bytes")])
    other.parent.mkdir()
    one.rename(other)  # as a second machine has it mounted
    second = await opened(pool, tmp_path, other)
    assert second.destination("") == root
    assert await (await second.open(root)).size_bytes("aa/key") == 5
    # For the first one it is not mounted any more: nothing is lost, and nothing is written where it was.
    gone = await first.open(root)
    for work in (
        gone.size_bytes("aa/key"),
        gone.write_small([("bb/key", b"x")]),
        gone.remove("aa/key", None),
    ):
        with pytest.raises(UnavailableError, match="not mounted"):
            await work
    assert not files_below(one)
    for stores in (first, second):
        await stores.__aexit__()


async def test_another_folder_is_refused(pool: Pool, tmp_path: Path) -> None:
    folder = tmp_path / "share"
    await (await opened(pool, tmp_path, folder)).__aexit__()
    mark = (folder / MARK_FILE).read_text().strip()
    folder.rename(tmp_path / "away")
    with pytest.raises(StartupError, match=f"is missing.*echo {mark} > "):
        await opened(pool, tmp_path, folder)
    folder.mkdir()
    (folder / MARK_FILE).write_text("1" * 32)
    with pytest.raises(StartupError, match=r"says 1{32}, theirs says"):
        await opened(pool, tmp_path, folder)
    (folder / MARK_FILE).write_text(f"{mark}\n")  # what the message says
    await (await opened(pool, tmp_path, folder)).__aexit__()


async def test_a_folder_from_before_is_not_made_where_it_is_missing(pool: Pool, tmp_path: Path) -> None:
    stores, old = await opened(pool, tmp_path, tmp_path / "new"), tmp_path / "old"
    with pytest.raises(UnavailableError, match="old cannot be used: there is no folder content in it"):
        await stores.open(f"file://{old}")
    assert not old.exists()
    (old / "content").mkdir(parents=True)
    await stores.open(f"file://{old}")
    assert (old / MARK_FILE).exists()
    await stores.__aexit__()


async def test_many_servers_that_start_at_once_make_one_mark(pool: Pool, tmp_path: Path) -> None:
    started = await asyncio.gather(*(opened(pool, tmp_path, tmp_path / "new") for _ in range(8)))
    assert [path.name for path in (tmp_path / "new").iterdir()] == [MARK_FILE]
    assert len({stores.destination("") for stores in started}) == 1
    for stores in started:
        await stores.__aexit__()


async def test_two_servers_write_one_upload_one_after_the_other(tmp_path: Path) -> None:
    assert lock_problem(tmp_path) == ""
    data = os.urandom(3 * MIB)
    file = FileSpec("x", len(data), hashlib.sha256(data).digest())
    one, other = FolderContentStore(tmp_path), FolderContentStore(tmp_path)
    half = asyncio.Event()

    async def until_half() -> AsyncIterator[bytes]:
        yield data[: 2 * MIB]
        half.set()
        await asyncio.Event().wait()

    async def rest(offset: int) -> AsyncIterator[bytes]:
        yield data[offset:]

    writing = asyncio.create_task(one.write("aa/key", 0, until_half(), file))
    await half.wait()
    with pytest.raises(BusyError):
        await other.write("aa/key", 0, rest(0), file)
    writing.cancel()  # its server dies
    await asyncio.gather(writing, return_exceptions=True)
    held = await other.held_bytes("aa/key", file)
    assert held == 2 * MIB
    await other.write("aa/key", held, rest(held), file)
    assert await one.size_bytes("aa/key") == len(data)
    assert await one.verify("aa/key", file) == ""
    assert [path.name for path in files_below(tmp_path)] == ["key"]
    one.close()
    other.close()


FAILED = "failed"


def path_of(descriptor: int) -> str:
    return str(Path(f"/proc/self/fd/{descriptor}").readlink())


async def test_files_and_the_folders_that_name_them_are_flushed_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file before it has its name, its folder behind that, and a new folder's own folder."""
    steps: list[tuple[str, str]] = []
    fsync, replace = os.fsync, os.replace

    def flushed(descriptor: int) -> None:
        fsync(descriptor)
        steps.append(("flushed", path_of(descriptor).removeprefix(f"{tmp_path}/")))

    def moved(source: Path, target: Path) -> None:
        replace(source, target)
        steps.append(("moved", str(target).removeprefix(f"{tmp_path}/")))

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(os, "replace", moved)
    store, data = FolderContentStore(tmp_path), b"bytes"

    async def pieces() -> AsyncIterator[bytes]:
        yield data

    for key in ("aa/one", "aa/two"):
        await store.write(key, 0, pieces(), FileSpec("x", len(data), hashlib.sha256(data).digest()))
        await store.receive(f"b{key}", pieces(), None)
        await store.write_small([(f"c{key}", data)])
    store.close()
    for folder in ("aa", "baa", "caa"):
        for name in ("one", "two"):
            moving = steps.index(("moved", f"content/{folder}/{name}"))
            assert ("flushed", f"unfinished/{folder}-{name}") in steps[:moving]
            assert ("flushed", f"content/{folder}") in steps[moving:]
        first = steps.index(("moved", f"content/{folder}/one"))
        assert ("flushed", "content") in steps[:first]


@contextmanager
def broken(call: str, number: int, below: Path) -> Iterator[None]:
    """Let a call of the operating system fail for files below a folder, as one does whose NFS server is in trouble."""
    real = getattr(os, call)

    def failing(what: int | str | Path, *arguments: Any, **named: Any) -> Any:
        path = path_of(what) if isinstance(what, int) else os.fspath(what)
        if path.startswith(str(below)):
            raise OSError(number, os.strerror(number))
        return real(what, *arguments, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, call, failing)
        yield


@pytest.mark.parametrize("number", [errno.ESTALE, errno.EIO], ids=["stale", "io"])
@pytest.mark.parametrize("call", ["open", "stat", "write", "pwrite", "fsync", "replace", "preadv", "unlink"])
async def test_a_share_in_trouble_loses_nothing_and_shows_nothing_by_half(
    call: str, number: int, tmp_path: Path
) -> None:
    store, data = FolderContentStore(tmp_path), os.urandom(MIB + 5)
    file = FileSpec("x", len(data), hashlib.sha256(data).digest())

    async def piece(offset: int = 0) -> AsyncIterator[bytes]:
        yield data[offset:]

    async def whole(key: str) -> bytes:
        return b"".join([bytes(piece) async for piece in store.read(key, 0)])

    async def tried(work: Awaitable[Any]) -> Any:
        try:
            return await work
        except UnavailableError as error:
            assert os.strerror(number) in str(error)  # noqa: PT017 - some of the calls go well
            return FAILED

    await store.write("aa/there", 0, piece(), file)
    with broken(call, number, tmp_path):
        found = [
            (await tried(store.size_bytes("aa/there")), len(data)),
            (await tried(store.verify("aa/there", file)), ""),
            (await tried(whole("aa/there")), data),
            (await tried(store.write("bb/new", 0, piece(), file)), None),
            (await tried(store.write_small([("cc/small", data)])), None),
            (await tried(store.receive("dd/received", piece(), None)), (len(data), file.sha256)),
            (await tried(store.remove("ee/nothing", None)), None),
        ]
    assert all(got in (FAILED, right) for got, right in found)
    assert FAILED in [got for got, _ in found]
    for key, (got, _) in zip(("bb/new", "cc/small", "dd/received"), found[3:], strict=False):
        there = await store.size_bytes(key)
        # A folder that could not be flushed: the file is there, and nobody was told so.
        assert there == len(data) if got != FAILED else there in (None, len(data))
        held = await store.held_bytes(key, file)
        await store.write(key, held if there is None else 0, piece(held), file)
        assert await whole(key) == data
    assert await whole("aa/there") == data
    for name in ("aa/there", "bb/new", "cc/small", "dd/received"):
        await store.remove(name, None)
    assert not files_below(tmp_path)
    store.close()


async def test_what_nfs_remembers_as_missing_is_looked_for_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another machine has made a file; until its folder is opened, this one's memory says that there is none."""
    store, remembered = FolderContentStore(tmp_path), {str(tmp_path / "content" / "aa" / "key")}
    await store.write_small([("aa/key", b"bytes")])
    real = {name: getattr(os, name) for name in ("open", "stat")}

    def remembering(name: str, path: int | str | Path, *arguments: Any, **named: Any) -> Any:
        if not isinstance(path, int) and os.fspath(path) in remembered:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fspath(path))
        if name == "open" and Path(path) == tmp_path / "content" / "aa":
            remembered.clear()
        return real[name](path, *arguments, **named)

    for name in real:
        monkeypatch.setattr(os, name, partial(remembering, name))
    assert await store.size_bytes("aa/key") == 5
    remembered.add(str(tmp_path / "content" / "aa" / "key"))
    assert b"".join([bytes(piece) async for piece in store.read("aa/key", 0)]) == b"bytes"
    store.close()


@contextmanager
def second_mount(folder: Path, point: Path) -> Iterator[Path]:
    """Mount a folder a second time; where nobody may mount, a link leads there. On NFS, there is another mount."""
    if mounts := os.environ.get("STEPWELL_TEST_MOUNTS"):
        first, second = map(Path, mounts.split(":"))
        point.symlink_to(second / folder.relative_to(first))
        yield point
        return
    point.mkdir()
    is_mounted = (
        subprocess.run(["mount", "--bind", folder, point], capture_output=True, check=False).returncode == 0
    )
    if not is_mounted:
        point.rmdir()
        point.symlink_to(folder)
    try:
        yield point
    finally:
        if is_mounted:
            subprocess.run(["umount", "--lazy", point], check=True)


def test_an_upload_goes_on_at_another_server_that_has_the_share_elsewhere(
    database_url: str,
    start_server: Callable[..., ServerProcess],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STEPWELL_REACH_TIMEOUT_S", "30")
    share, source = tmp_path / "share", tmp_path / "large.bin"
    share.mkdir()
    source.write_bytes(os.urandom(8 * MIB))

    def start(folder: Path) -> ServerProcess:
        return start_server(
            *("--store", database_url, "--data", str(tmp_path / f"data of {folder.name}")),
            *("--artifacts", f"file://{folder}"),
        )

    with second_mount(share, tmp_path / "mounted") as mounted:
        one, other = start(share), start(mounted)
        with Proxy(one.port) as proxy:
            client = StepwellClient(proxy.tracking_uri)
            run_id = client.create_run("0").info.run_id
            proxy.slow(4 * MIB)
            logging = Meanwhile(lambda: client.log_artifact(run_id, source))
            until(lambda: sum(it.stat().st_size for it in files_below(share / "unfinished")) >= 2 * MIB)
            one.kill()
            proxy.heal()
            before = proxy.bytes_passed[Way.UP]
            proxy.redirect(other.port)
            logging.result()
            assert proxy.bytes_passed[Way.UP] - before < 7 * MIB
            fetched = client.download_artifacts(run_id, "large.bin", str(tmp_path / "out"))
            assert Path(fetched).read_bytes() == source.read_bytes()
        # Another mount may take its time until it lists what is new; a server there finds it all the same.
        assert not files_below(mounted / "unfinished")
        assert len(files_below(mounted / "content")) == 1
        reader = StepwellClient(start(share).tracking_uri)
        again = reader.download_artifacts(run_id, "large.bin", str(tmp_path / "again"))
        assert Path(again).read_bytes() == source.read_bytes()
        other.terminate()


def test_two_servers_serve_one_share_and_refuse_another(
    database_url: str,
    start_server: Callable[..., ServerProcess],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STEPWELL_ARTIFACT_ATTEMPTS", "1")
    monkeypatch.setenv("STEPWELL_ON_UNREACHABLE", "raise")
    monkeypatch.setenv("STEPWELL_REACH_TIMEOUT_S", "30")
    share = tmp_path / "share"

    def start(number: int) -> ServerProcess:
        return start_server(
            *("--store", database_url, "--data", str(tmp_path / f"data{number}")),
            *("--artifacts", f"file://{share}"),
        )

    one, other = start(1), start(2)
    client = StepwellClient(one.tracking_uri)
    run_id = client.create_run("0").info.run_id
    client.log_text(run_id, "of one", "a.txt")
    second = StepwellClient(other.tracking_uri)
    second.log_text(run_id, "of the other", "b.txt")
    for reader, path, text in ((client, "b.txt", "of the other"), (second, "a.txt", "of one")):
        assert Path(reader.download_artifacts(run_id, path, str(tmp_path / "out"))).read_text() == text
    share.rename(tmp_path / "unmounted")
    share.mkdir()  # what lies below the mount point
    with refused("TEMPORARILY_UNAVAILABLE", "not mounted"):
        client.download_artifacts(run_id, "a.txt", str(tmp_path / "again"))
    with pytest.raises(ServerFailedError, match="is not the folder that the servers of this database use"):
        start(3)
    assert not files_below(share)
