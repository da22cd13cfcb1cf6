"""A folder that several servers share: all see the same one, or are told; and they keep out of each other's way."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

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
from tests.harness.files import files_below
from tests.harness.processes import ServerFailedError, ServerProcess

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
