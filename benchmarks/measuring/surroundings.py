"""What figures depend on besides the code, and what processes cost."""

import os
import platform
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def surroundings() -> dict[str, Any]:
    """Return commit, machine and load. The load before the run tells whether the machine was ours alone."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "commit": commit.stdout.strip() or None,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "system": platform.platform(),
        "load_before": round(os.getloadavg()[0], 1),
        "time": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }


def family(process_id: int) -> list[int]:
    """Return the process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            fields = _stat(int(path.name))
            if fields:
                children.setdefault(int(fields[1]), []).append(int(path.name))
    found = [process_id]
    for member in found:
        found += children.get(member, [])
    return found


def _stat(process_id: int) -> list[str]:
    """The fields of /proc/<id>/stat from the state on; none when the process is gone."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def process_name(process_id: int) -> str:
    """Return what the kernel calls a process; "" when it is gone."""
    try:
        return Path(f"/proc/{process_id}/comm").read_text().strip()
    except OSError:
        return ""


def cpu_seconds(process_ids: Sequence[int]) -> float:
    """Return the processor time of these processes and (in hundredths of a second) of their children that ended."""
    ended = sum(sum(map(int, each[13:15])) for each in filter(None, map(_stat, process_ids)))
    return sum(map(_own_cpu_seconds, process_ids)) + ended / _TICKS_PER_SECOND


def _own_cpu_seconds(process_id: int) -> float:
    try:
        # The clock of a process, as clock_getcpuclockid(3) numbers it: to the nanosecond.
        return time.clock_gettime(~process_id << 3 | 2)
    except OSError:  # it is gone
        return 0.0


def resident_mib(process_ids: Sequence[int]) -> float:
    """Return the memory of these processes, shared pages counted in each."""
    page = os.sysconf("SC_PAGE_SIZE")
    return sum(int(each[21]) for each in filter(None, map(_stat, process_ids))) * page / 2**20


class Costs:
    """What the server and its PostgreSQL use while a workload runs. `process_id` is the server's."""

    def __init__(self, process_id: int) -> None:
        self._process_id = process_id
        self._started = time.monotonic()
        self._before = self._now()

    def _now(self) -> tuple[float, float]:
        members = family(self._process_id)
        postgres = [each for each in members if process_name(each).startswith("postgres")]
        return cpu_seconds([each for each in members if each not in postgres]), cpu_seconds(postgres)

    def report(self) -> dict[str, float]:
        """Return shares of one core since the start, and the server's memory now."""
        seconds = time.monotonic() - self._started
        server, postgres = (now - before for now, before in zip(self._now(), self._before, strict=True))
        members = [each for each in family(self._process_id) if not process_name(each).startswith("postgres")]
        return {
            "server_core_share": round(server / seconds, 3),
            "postgresql_core_share": round(postgres / seconds, 3),
            "server_cpu_s": round(server, 4),
            "postgresql_cpu_s": round(postgres, 4),
            "server_mib": round(resident_mib(members)),
        }


@contextmanager
def timed() -> Iterator[list[float]]:
    """Yield a list that holds the seconds of the context after its end."""
    seconds: list[float] = []
    started = time.perf_counter()
    yield seconds
    seconds.append(time.perf_counter() - started)
