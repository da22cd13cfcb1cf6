"""What a server takes of memory, store by store: idle, after calls, and at most while a large file travels.

    python -m benchmarks.memory [--stores folder,s3,azure,gcs,sftp] [--size-mb 1000] [--only idle,calls,grpc,proxy]
    python -m benchmarks.memory --limit-mb 100    each once more in a group of processes that may have so much

A real server each time (embedded PostgreSQL), with clients in processes of their own. `anonymous` is what the process
allocated; `file` are pages of libraries, which the kernel can take back, of which `shared` are mapped by others, too;
`pss` counts such pages by their part. The parts are of the moment; `peak` is the most resident memory since the line
before; `up` and `down` are MB/s. In MB (10^6 bytes). Prints a table, or JSON with --json.

With --limit-mb, PostgreSQL and the client are outside of the server's group (see `measuring/memory_group.py`), and the
server has copies of its libraries, so that their pages count there as they do in a container. `group` is the most that
the kernel counted there, `limit met` how often it had to take pages of files back, and `killed` whether it ended the
server; then the line says no more.
"""

import argparse
import asyncio
import json
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.artifacts.moving import in_process, servers, transfer, write_file
from benchmarks.measuring.memory_group import GroupsMissingError, MemoryGroup, mapped_files, own_files
from benchmarks.measuring.surroundings import surroundings
from stepwell_server.process.deadline import Deadline
from stepwell_server.store.postgres.embedded import EmbeddedPostgres
from tests.harness.servers.processes import ServerProcess

MB = 10**6
PIECE = 1 << 20
CALLS = 10
STORES = "folder,s3,azure,gcs,sftp"
COLUMNS = ("rss", "anonymous", "file", "shared", "pss", "peak", "client", "up", "down")
LIMIT_COLUMNS = ("group", "limit met", "killed")
PEAK_ONLY = "5"  # what lets /proc/ID/clear_refs forget the peak


def memory_of(process_id: int) -> dict[str, float]:
    """Return the parts of a process's memory and the peak since the last call, in MB."""
    status = _fields(Path(f"/proc/{process_id}/status"))
    rollup = _fields(Path(f"/proc/{process_id}/smaps_rollup"))
    Path(f"/proc/{process_id}/clear_refs").write_text(PEAK_ONLY)
    found = {
        "rss": status["VmRSS"],
        "anonymous": status["RssAnon"],
        "file": status["RssFile"] + status["RssShmem"],
        "shared": rollup["Shared_Clean"] + rollup["Shared_Dirty"],
        "pss": rollup["Pss"],
        "peak": status["VmHWM"],
    }
    return {name: round(size / MB, 1) for name, size in found.items()}


def _fields(path: Path) -> dict[str, int]:
    """Read the lines that have a size, in bytes."""
    lines = [line.split() for line in path.read_text().splitlines()]
    return {line[0].rstrip(":"): int(line[1]) * 1024 for line in lines if line[-1] == "kB"}


def call_by_grpc(uri: str) -> None:
    """Make a run and ask for it, again and again."""
    import stepwell

    client = stepwell.StepwellClient(uri)
    run_id = client.create_run("0").info.run_id
    for _ in range(CALLS):
        client.get_run(run_id)


def create_run_by_rest(url: str) -> str:
    """Make a run by MLflow's REST interface and ask for it; return its artifact address."""
    run = _rest(url, "runs/create", {"experiment_id": "0"})["run"]
    for _ in range(CALLS):
        _rest(url, f"runs/get?run_id={run['info']['run_id']}")
    address: str = run["info"]["artifact_uri"].removeprefix("mlflow-artifacts:/")
    return address


def transfer_by_rest(url: str, source: str) -> dict[str, float]:
    """Send a file through the server and fetch it again, as MLflow's clients do; return MB/s."""
    address = f"{url}/api/2.0/mlflow-artifacts/artifacts/{create_run_by_rest(url)}/{Path(source).name}"
    with Path(source).open("rb") as file:
        request = urllib.request.Request(address, data=file, method="PUT")
        request.add_header("Content-Length", str(Path(source).stat().st_size))
        started = time.perf_counter()
        urllib.request.urlopen(request).close()
    sent, size = time.perf_counter(), 0
    with urllib.request.urlopen(address) as answer:
        while piece := answer.read(PIECE):
            size += len(piece)
    assert size == Path(source).stat().st_size
    return _speeds(size, sent - started, time.perf_counter() - sent)


def _speeds(size: int, up_s: float, down_s: float) -> dict[str, float]:
    return {"up": round(size / MB / up_s, 1), "down": round(size / MB / down_s, 1)}


def _rest(url: str, name: str, body: Any = None) -> Any:
    request = urllib.request.Request(f"{url}/api/2.0/mlflow/{name}")
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def transfer_by_grpc(uri: str, folder: Path) -> dict[str, float]:
    """Send a file and fetch it; return MB/s and what the client took at most, in MB."""
    source = folder / "source.bin"
    made = in_process(transfer, uri, str(source), str(folder / "fetched"))
    (folder / "fetched" / "source.bin").unlink()
    speeds = _speeds(source.stat().st_size, made["upload_s"], made["download_s"])
    return {"client": made["client_peak_mb"], **speeds}


def measure(
    kind: str, size: int, only: list[str], libraries: set[Path]
) -> Iterator[tuple[str, dict[str, float]]]:
    """Measure one kind of store, stage by stage; adds the files that the server has loaded."""
    with tempfile.TemporaryDirectory() as name, servers(Path(name), kind) as (server, _):
        for stage, work in _stages(server, Path(name), size).items():
            if stage in only:
                done = work()
                yield stage, {**memory_of(server.process.pid), **done}
        libraries |= mapped_files(server.process.pid)


def measure_limited(
    kind: str, size: int, only: list[str], libraries: set[Path], limit_mb: int
) -> Iterator[tuple[str, dict[str, float]]]:
    """Measure the same in a group that may have so much; ends with what killed the server."""
    with (
        MemoryGroup(limit_mb * MB) as group,
        tempfile.TemporaryDirectory() as name,
        tempfile.TemporaryDirectory() as copies,
        _postgres(Path(name) / "postgres") as store,
        servers(
            Path(name),
            kind,
            *("--store", store),
            before=[*own_files(libraries, Path(copies)), *group.command],
        ) as (server, _),
    ):
        for stage, work in _stages(server, Path(name), size).items():
            if stage in only:
                try:
                    done = work()
                    yield stage, {**memory_of(server.process.pid), **done, **group.used()}
                except (RuntimeError, OSError):
                    used = group.used()
                    if not used["killed"]:
                        raise
                    yield stage, used
                    return


def _stages(server: ServerProcess, folder: Path, size: int) -> dict[str, Callable[[], dict[str, float]]]:
    write_file(folder / "source.bin", size)
    return {
        "idle": dict,
        "calls": lambda: _call(server),
        "grpc": lambda: transfer_by_grpc(server.tracking_uri, folder),
        "proxy": lambda: in_process(transfer_by_rest, server.url, str(folder / "source.bin")),
    }


@contextmanager
def _postgres(folder: Path) -> Iterator[str]:
    """Run a PostgreSQL outside of the group; yields its URL."""
    folder.parent.chmod(0o755)  # it may run as a user of its own
    folder.mkdir()
    postgres = EmbeddedPostgres(folder, Deadline(60))
    with asyncio.Runner() as runner:
        runner.run(postgres.__aenter__())
        try:
            yield postgres.url
        finally:
            runner.run(postgres.__aexit__(None, None, None))


def _call(server: ServerProcess) -> dict[str, float]:
    in_process(call_by_grpc, server.tracking_uri)
    in_process(create_run_by_rest, server.url)
    return {}


def row(kind: str, stage: str, found: dict[str, float], columns: Sequence[str]) -> str:
    """Lay out one line of Markdown."""
    return f"| {kind} | {stage} | " + " | ".join(str(found.get(name, "")) for name in columns) + " |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stores", default=STORES)
    parser.add_argument("--size-mb", type=int, default=1_000)
    parser.add_argument("--only", default="idle,calls,grpc,proxy")
    parser.add_argument("--limit-mb", type=int, help="measure also with so much memory for the server")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.limit_mb:
        try:
            MemoryGroup(arguments.limit_mb * MB).__exit__(None, None, None)
        except GroupsMissingError as missing:
            parser.error(str(missing))
    say = (lambda line: None) if arguments.json else (lambda line: print(line, flush=True))
    columns = (*COLUMNS, *LIMIT_COLUMNS) if arguments.limit_mb else COLUMNS
    say("| store | | " + " | ".join(columns) + " |")
    say("|" + "---|" * (len(columns) + 2))
    results: dict[str, dict[str, dict[str, float]]] = {}
    given = (arguments.size_mb * MB, arguments.only.split(","))
    for kind in arguments.stores.split(","):
        libraries = set[Path]()
        rounds = {"": measure(kind, *given, libraries)}
        if arguments.limit_mb:
            limited = measure_limited(kind, *given, libraries, arguments.limit_mb)
            rounds[f", {arguments.limit_mb} MB"] = limited
        for limit, stages in rounds.items():
            for stage, found in stages:
                results.setdefault(kind, {})[f"{stage}{limit}"] = found
                say(row(kind, f"{stage}{limit}", found, columns))
    report = surroundings()
    print(json.dumps({**vars(arguments), "results": results, **report} if arguments.json else report))


if __name__ == "__main__":
    main()
