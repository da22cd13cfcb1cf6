"""The embedded PostgreSQL through its whole life. Each test has a data folder of its own."""

import asyncio
import os
import signal
import stat
from pathlib import Path

import asyncpg
import pytest

from stepwell_server.errors import StartupError
from stepwell_server.process.deadline import Deadline
from stepwell_server.store.postgres.embedded import EmbeddedPostgres
from stepwell_server.store.postgres.folder_lock import folder_lock

STOP_S = 10.0
RECOVERY_S = 20.0


def embedded(data: Path) -> EmbeddedPostgres:
    data.mkdir(exist_ok=True)
    return EmbeddedPostgres(data, Deadline(STOP_S), fsync=False)


def postmaster(data: Path) -> int:
    return int((data / "postgres" / "postmaster.pid").read_text().splitlines()[0])


async def ask(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def ask_until_it_answers(url: str, query: str) -> object:
    async with asyncio.timeout(RECOVERY_S):
        while True:
            try:
                return await ask(url, query)
            except (OSError, asyncpg.PostgresError):
                await asyncio.sleep(0.1)


async def test_data_stays_and_nothing_runs_on(tmp_path: Path) -> None:
    data = tmp_path / "a, 100% odd folder"
    async with embedded(data) as postgres:
        await ask(postgres.url, "CREATE TABLE kept ()")
        assert await ask(postgres.url, "SHOW listen_addresses") == ""
        assert await ask(postgres.url, "SHOW jit") == "off"
        process_id = postmaster(data)
    with pytest.raises(ProcessLookupError):
        os.kill(process_id, 0)
    async with embedded(data) as postgres:
        assert await ask(postgres.url, "SELECT count(*) FROM kept") == 0


async def test_nobody_else_can_enter(tmp_path: Path) -> None:
    async with embedded(tmp_path / "data") as postgres:
        socket_folder = Path(str(await ask(postgres.url, "SHOW unix_socket_directories")))
        for folder in (socket_folder, tmp_path / "data" / "postgres"):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_it_comes_back_after_its_postmaster_was_killed(tmp_path: Path) -> None:
    async with embedded(tmp_path / "data") as postgres:
        await ask(postgres.url, "CREATE TABLE kept ()")
        killed = postmaster(tmp_path / "data")
        os.kill(killed, signal.SIGKILL)
        assert await ask_until_it_answers(postgres.url, "SELECT count(*) FROM kept") == 0
        assert postmaster(tmp_path / "data") != killed


async def test_what_a_killed_server_left_behind_is_stopped(tmp_path: Path) -> None:
    first = embedded(tmp_path / "data")
    await first.__aenter__()
    first._watcher.cancel()  # as dead as a killed server
    left_behind = postmaster(tmp_path / "data")
    async with embedded(tmp_path / "data") as second:
        assert postmaster(tmp_path / "data") != left_behind
        assert await ask(second.url, "SELECT 1") == 1
    assert first._process.wait(STOP_S) == 0  # it was stopped in order


async def test_a_process_number_that_was_given_again_is_no_postgresql(tmp_path: Path) -> None:
    async with embedded(tmp_path / "data"):
        pass
    file = tmp_path / "data" / "postgres" / "postmaster.pid"
    file.write_text(f"{os.getpid()}\n{file.parent}\n0\n5432\n\n\n0 0\nready\n")
    async with embedded(tmp_path / "data") as postgres:
        assert await ask(postgres.url, "SELECT 1") == 1


async def test_an_interrupted_set_up_is_begun_anew(tmp_path: Path) -> None:
    unfinished = tmp_path / "data" / "postgres.unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    async with embedded(tmp_path / "data") as postgres:
        assert await ask(postgres.url, "SELECT 1") == 1
    assert not unfinished.exists()


async def test_a_broken_folder_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stepwell_server.store.postgres.embedded.START_ATTEMPTS", 1)
    async with embedded(tmp_path / "data"):
        pass
    (tmp_path / "data" / "postgres" / "global" / "pg_control").unlink()
    with pytest.raises(StartupError, match="could not find the database system"):
        async with embedded(tmp_path / "data"):
            pass


def test_a_folder_has_one_holder(tmp_path: Path) -> None:
    first, second = folder_lock(tmp_path / "data"), folder_lock(tmp_path / "data")
    with first, pytest.raises(StartupError, match=f"process {os.getpid()}"):
        second.__enter__()
    with folder_lock(tmp_path / "data"):
        pass


def test_a_file_is_no_data_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartupError, match="cannot be used"), folder_lock(tmp_path / "file"):
        pass
