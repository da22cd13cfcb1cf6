import os
import shutil
import subprocess
from pathlib import Path

import pytest

from stepwell_server.errors import StartupError
from stepwell_server.store.postgres import embedded_host
from stepwell_server.store.postgres.embedded_host import Account
from stepwell_server.store.postgres.embedded_settings import shared_buffers_mib

SOMEBODY = Account(54_321, 54_321)


def test_shared_buffers_stay_within_limits() -> None:
    assert [shared_buffers_mib(memory) for memory in (512, 4_096, 65_536)] == [128, 512, 1_024]


def test_a_long_path_puts_the_socket_under_the_temporary_folder(tmp_path: Path) -> None:
    data = tmp_path / ("x" * 100)
    data.mkdir()
    folder = embedded_host.socket_folder(data, None)
    try:
        assert len(os.fsencode(folder / embedded_host.SOCKET_NAME)) <= embedded_host.SOCKET_PATH_BYTES_MAX
        assert folder.stat().st_mode & 0o777 == 0o700
        assert folder == embedded_host.socket_folder(data, None)
    finally:
        folder.rmdir()


def test_the_socket_folder_is_closed_to_others(tmp_path: Path) -> None:
    short = tmp_path / "d"
    (short / "socket").mkdir(parents=True, mode=0o777)
    assert embedded_host.socket_folder(short, None).stat().st_mode & 0o777 == 0o700


def test_a_private_folder_of_somebody_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_host.tempfile, "gettempdir", lambda: str(tmp_path))
    place = embedded_host.private_folder(tmp_path, "socket", None)
    place.rmdir()
    place.symlink_to(tmp_path)
    with pytest.raises(StartupError, match="belongs to somebody else"):
        embedded_host.private_folder(tmp_path, "socket", None)


def test_may_enter_looks_at_all_folders_above(tmp_path: Path) -> None:
    inner = tmp_path / "closed" / "open"
    inner.mkdir(parents=True)
    (tmp_path / "closed").chmod(0o700)
    assert not embedded_host.may_enter(inner, SOMEBODY)
    assert embedded_host.may_enter(inner, None)
    assert embedded_host.may_enter(Path("/"), SOMEBODY)


def test_binaries_that_the_account_cannot_reach_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_host, "may_enter", lambda folder, account: False)
    monkeypatch.setattr(embedded_host.tempfile, "gettempdir", lambda: str(tmp_path))
    ourselves = Account(os.geteuid(), os.getegid())
    copy = embedded_host.usable_binaries(tmp_path, ourselves)
    assert tmp_path in copy.parents
    for program in (copy / "bin").iterdir():
        assert subprocess.run([program, "--version"], capture_output=True, check=False).returncode == 0, (
            program
        )


def test_binaries_are_copied_beside_those_that_a_killed_server_left_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "package" / "pginstall"
    (installed / "bin").mkdir(parents=True)
    shutil.copy(shutil.which("sleep") or "", installed / "bin" / "postgres")
    monkeypatch.setattr(embedded_host, "installed_binaries", lambda: installed)
    monkeypatch.setattr(embedded_host, "may_enter", lambda folder, account: False)
    monkeypatch.setattr(embedded_host.tempfile, "gettempdir", lambda: str(tmp_path))
    ourselves = Account(os.geteuid(), os.getegid())
    program = embedded_host.usable_binaries(tmp_path, ourselves) / "bin" / "postgres"
    with subprocess.Popen([program, "60"]) as running:
        assert embedded_host.usable_binaries(tmp_path, ourselves) == program.parent.parent
        assert running.poll() is None
        running.kill()
    assert [path.name for path in program.parent.iterdir()] == ["postgres"]


def test_binaries_that_can_be_used_are_not_copied(tmp_path: Path) -> None:
    assert embedded_host.usable_binaries(tmp_path, None) == embedded_host.installed_binaries()
