"""What a server takes of memory, store by store: idle, after calls, and at most while a large file travels.

    python -m benchmarks.memory [--stores folder,s3,azure,gcs,sftp] [--size-mb 1000] [--only idle,calls,grpc,proxy]

A real server each time (embedded PostgreSQL), with clients in processes of their own. `anonymous` is what the process
allocated; `file` are pages of libraries, which the kernel can take back, of which `shared` are mapped by others, too;
`pss` counts such pages by their part. The parts are of the moment; `peak` is the most resident memory since the line
before. In MB (10^6 bytes). Prints a table, or JSON with --json.
"""

import argparse
import json
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.artifacts.moving import in_process, servers, transfer, write_file
from benchmarks.measuring.surroundings import surroundings
from tests.harness.servers.processes import ServerProcess

MB = 10**6
PIECE = 1 << 20
CALLS = 10
STORES = "folder,s3,azure,gcs,sftp"
COLUMNS = ("rss", "anonymous", "file", "shared", "pss", "peak", "client")
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


def transfer_by_rest(url: str, source: str) -> None:
    """Send a file through the server and fetch it again, as MLflow's clients do."""
    address = f"{url}/api/2.0/mlflow-artifacts/artifacts/{create_run_by_rest(url)}/{Path(source).name}"
    with Path(source).open("rb") as file:
        request = urllib.request.Request(address, data=file, method="PUT")
        request.add_header("Content-Length", str(Path(source).stat().st_size))
        urllib.request.urlopen(request).close()
    size = 0
    with urllib.request.urlopen(address) as answer:
        while piece := answer.read(PIECE):
            size += len(piece)
    assert size == Path(source).stat().st_size


def _rest(url: str, name: str, body: Any = None) -> Any:
    request = urllib.request.Request(f"{url}/api/2.0/mlflow/{name}")
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def transfer_by_grpc(uri: str, folder: Path) -> float:
    """Send a file and fetch it; return what the client took at most, in MB."""
    made = in_process(transfer, uri, str(folder / "source.bin"), str(folder / "fetched"))
    (folder / "fetched" / "source.bin").unlink()
    peak: float = made["client_peak_mb"]
    return peak


def measure(kind: str, size: int, only: list[str]) -> Iterator[tuple[str, dict[str, float]]]:
    """Measure one kind of store, stage by stage."""
    with tempfile.TemporaryDirectory() as name, servers(Path(name), kind) as (server, _):
        folder = Path(name)
        write_file(folder / "source.bin", size)
        works: dict[str, Callable[[], Any]] = {
            "idle": lambda: None,
            "calls": lambda: _call(server),
            "grpc": lambda: transfer_by_grpc(server.tracking_uri, folder),
            "proxy": lambda: in_process(transfer_by_rest, server.url, str(folder / "source.bin")),
        }
        for stage, work in works.items():
            if stage in only:
                client = work()
                found = memory_of(server.process.pid)
                yield stage, found if client is None else {**found, "client": client}


def _call(server: ServerProcess) -> None:
    in_process(call_by_grpc, server.tracking_uri)
    in_process(create_run_by_rest, server.url)


def row(kind: str, stage: str, found: dict[str, float]) -> str:
    """Lay out one line of Markdown."""
    return f"| {kind} | {stage} | " + " | ".join(str(found.get(name, "")) for name in COLUMNS) + " |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stores", default=STORES)
    parser.add_argument("--size-mb", type=int, default=1_000)
    parser.add_argument("--only", default="idle,calls,grpc,proxy")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    say = (lambda line: None) if arguments.json else (lambda line: print(line, flush=True))
    say("| store | | " + " | ".join(COLUMNS) + " |")
    say("|" + "---|" * (len(COLUMNS) + 2))
    results: dict[str, dict[str, dict[str, float]]] = {}
    for kind in arguments.stores.split(","):
        for stage, found in measure(kind, arguments.size_mb * MB, arguments.only.split(",")):
            results.setdefault(kind, {})[stage] = found
            say(row(kind, stage, found))
    report = surroundings()
    print(json.dumps({**vars(arguments), "results": results, **report} if arguments.json else report))


if __name__ == "__main__":
    main()
