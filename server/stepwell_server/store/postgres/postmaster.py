"""What PostgreSQL's main process says of itself in postmaster.pid, and how one that was left behind is stopped."""

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

from stepwell_server.process.logger import get_logger

POLL_S = 0.02
LEFTOVER_STOP_S = 30.0  # then it is told to stop at once

log = get_logger(__name__)


def _pid_file(folder: Path) -> list[str]:
    """Return the lines of postmaster.pid; none when there is no such file."""
    try:
        return (folder / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def is_ready(folder: Path, process_id: int) -> bool:
    """Tell whether this process says that it takes connections: line 1 is its id, line 8 its state."""
    lines = _pid_file(folder)
    return len(lines) >= 8 and lines[0] == str(process_id) and lines[7].strip() == "ready"


def running_socket_folder(folder: Path) -> Path | None:
    """Return where the PostgreSQL that runs and takes connections in the folder has its socket: line 5 says so."""
    process_id = _leftover(folder)
    lines = _pid_file(folder)
    if process_id is None or not is_ready(folder, process_id):
        return None
    return Path(lines[4])


def _leftover(folder: Path) -> int | None:
    """Return the id of a PostgreSQL that runs in the folder.

    A process of that number which works elsewhere is not ours: numbers are given again, in containers soon.
    Then the file goes, because PostgreSQL would believe it.
    """
    lines = _pid_file(folder)
    if not lines or not lines[0].isdigit():
        return None
    process_id = int(lines[0])
    with contextlib.suppress(OSError):
        if _works_in(process_id, folder):
            return process_id
        (folder / "postmaster.pid").unlink()
    return None


def _works_in(process_id: int, folder: Path) -> bool:
    """Tell whether the process is a PostgreSQL of this folder. OSError when there is no such process."""
    if Path("/proc/self/cwd").exists():
        return Path(f"/proc/{process_id}/cwd").samefile(folder)
    os.kill(process_id, 0)
    command = ["/bin/ps", "-o", "args=", "-p", str(process_id)]
    return str(folder) in subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603


async def stop_leftover(folder: Path) -> None:
    """Stop the PostgreSQL of a server that was killed, if there is one."""
    process_id = _leftover(folder)
    if process_id is None:
        return
    log.warning("a killed server left its PostgreSQL behind; it is stopped first", process=process_id)
    for number in (signal.SIGINT, signal.SIGQUIT):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process_id, number)
        give_up = time.monotonic() + LEFTOVER_STOP_S
        while _leftover(folder) == process_id and time.monotonic() < give_up:  # noqa: ASYNC110 - not our child
            await asyncio.sleep(POLL_S)
