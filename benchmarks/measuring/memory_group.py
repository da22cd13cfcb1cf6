"""Processes whose memory the kernel limits, all that it counts included: a memory group of cgroups, version 1."""

import errno
import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

GROUPS = Path("/sys/fs/cgroup/memory")
# The shell enters the group and becomes the program that is named behind it.
ENTER = 'echo $$ > "$0/cgroup.procs" && exec "$@"'
# Files lie over others, pair by pair, for what is named behind "--" alone.
LAY_OVER = 'while [ "$1" != -- ]; do mount --bind "$1" "$2" || exit; shift 2; done; shift; exec "$@"'
EMPTIED_S = 10.0


class MemoryGroup:
    """A group with a limit in bytes; gone when it is left, if its processes have ended.

    What counts is what its processes allocate, pages of files that they were the first to read (see `own_files`), and
    what the kernel keeps for them. At the limit the kernel takes pages of files
    back; where that is not enough, it kills.

    Raises:
        GroupsMissingError: there are no such groups here, or this user may not make one.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._folder = GROUPS / f"stepwell-benchmark-{os.getpid()}"
        try:
            if not (GROUPS / "memory.limit_in_bytes").exists():
                raise FileNotFoundError(errno.ENOENT, "no memory groups of version 1", str(GROUPS))
            self._folder.mkdir()
            self._write("memory.limit_in_bytes", limit_bytes)
        except OSError as error:
            raise GroupsMissingError(
                f"memory cannot be limited here ({error}): this takes Linux with the memory controller of cgroups, "
                f"version 1, at {GROUPS}, and root"
            ) from error

    @property
    def command(self) -> list[str]:
        """Words before a command with which it runs inside, as the same process."""
        return ["sh", "-c", ENTER, str(self._folder)]

    def used(self) -> dict[str, float]:
        """Return the most that was used since the last call, in MB, how often the limit was met, and kills so far."""
        kills = dict(line.split() for line in (self._folder / "memory.oom_control").read_text().splitlines())
        used = {
            "group": round(self._read("memory.max_usage_in_bytes") / 1e6, 1),
            "limit met": self._read("memory.failcnt"),
            "killed": int(kills.get("oom_kill", 0)),
        }
        for name in ("memory.max_usage_in_bytes", "memory.failcnt"):
            self._write(name, 0)
        return used

    def _read(self, name: str) -> int:
        return int((self._folder / name).read_text())

    def _write(self, name: str, value: int) -> None:
        (self._folder / name).write_text(str(value))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        deadline = time.monotonic() + EMPTIED_S
        while (self._folder / "cgroup.procs").read_text() and time.monotonic() < deadline:
            time.sleep(0.1)
        self._folder.rmdir()


class GroupsMissingError(Exception):
    """Memory cannot be limited on this machine."""


def mapped_files(process_id: int) -> set[Path]:
    """Return the files of which a process has pages: its program and libraries."""
    lines = Path(f"/proc/{process_id}/maps").read_text().splitlines()
    named = {Path(fields[5]) for line in lines if len(fields := line.split(maxsplit=5)) == 6}
    return {path for path in named if path.is_absolute() and path.is_file()}


def own_files(files: Iterable[Path], folder: Path) -> list[str]:
    """Return words before a command with which it has copies of these files, which are made in a folder.

    Pages of libraries count for who reads them first, so those that the client has, too, would not count for a server;
    in a container, they do.
    """
    words = ["unshare", "--mount", "sh", "-c", LAY_OVER, "sh"]
    for number, file in enumerate(sorted(files)):
        copied = folder / str(number)
        shutil.copy(file, copied)
        with copied.open("rb") as read:
            os.fsync(read.fileno())
            os.posix_fadvise(read.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        words += [str(copied), str(file)]
    return [*words, "--"]
