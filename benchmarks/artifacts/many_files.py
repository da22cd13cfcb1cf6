"""A folder of many small files: logged, listed, verified, fetched, moved, removed; seconds and peak memory of each.

    python -m benchmarks.artifacts.many_files [--store folder|s3|azure|gcs|sftp|openssh] [--files 100000] [--move]

The server and the places are those of `benchmarks.artifacts`. Each step is a client in a process of its own, with the
progress bar that a terminal would have. `--move` also moves all of it to a folder of the server, and back. Prints JSON.
"""

import argparse
import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.artifacts.moving import in_process, peak_mb, servers
from benchmarks.measuring.surroundings import surroundings

# What the page asks for at once.
PAGE_SIZE = 1_000


class _Terminal(io.StringIO):
    """Standard error as a terminal that nobody looks at."""

    def isatty(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        return len(text)


def step(work: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """Do one step in this process, which does nothing else; returns what it found, its seconds and its peak."""
    import stepwell  # noqa: F401 - what it takes to be loaded is not measured

    sys.stderr = _Terminal()
    started = time.perf_counter()
    found = work(*arguments)
    return {"seconds": round(time.perf_counter() - started, 2), "client_peak_mb": peak_mb(), **found}


def log(uri: str, run_id: str, folder: str) -> dict[str, Any]:
    """Log the folder."""
    import stepwell

    stepwell.StepwellClient(uri).log_artifacts(run_id, folder, "many")
    return {}


def list_pages(uri: str, run_id: str) -> dict[str, Any]:
    """List the folder page by page, as the page does; the longest of them says whether later ones take longer."""
    from stepwell.wire.connection import connect
    from stepwell_api.v1 import artifacts_pb2 as pb

    request = pb.ListArtifactsRequest(run_id=run_id, path="many", page_size=PAGE_SIZE)
    taken, count = [], 0
    while True:
        started = time.perf_counter()
        page = connect(uri).call(lambda server: server.artifacts.ListArtifacts(request))
        taken.append(time.perf_counter() - started)
        count += len(page.artifacts)
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    ms = sorted(1e3 * it for it in taken)
    return {"listed": count, "page_p50_ms": round(ms[len(ms) // 2], 1), "page_longest_ms": round(ms[-1], 1)}


def list_all(uri: str, run_id: str) -> dict[str, Any]:
    """List the folder by one call of Python's."""
    import stepwell

    return {"listed": len(stepwell.StepwellClient(uri).list_artifacts(run_id, "many"))}


def fetch(uri: str, run_id: str, target: str) -> dict[str, Any]:
    """Fetch the folder."""
    import stepwell

    stepwell.StepwellClient(uri).download_artifacts(run_id, "many", target)
    return {"fetched": sum(len(names) for _, _, names in os.walk(target))}


def verify(uri: str) -> dict[str, Any]:
    """Let the server read all of it again."""
    from stepwell.files.calls import ArtifactCalls

    broken, last = 0, None
    for last in ArtifactCalls(uri).verify("", repair=False):
        broken += len(last.broken)
    return {"verified": last.checked_count if last else 0, "broken": broken}


def move(uri: str, place: str) -> dict[str, Any]:
    """Let the server move all of it."""
    from stepwell.files.calls import ArtifactCalls

    moved = 0
    for progress in ArtifactCalls(uri).move("0", place, dry_run=False):
        moved = progress.moved_count
    return {"moved": moved}


def remove(uri: str, run_id: str) -> dict[str, Any]:
    """Remove the folder."""
    import stepwell

    return {"removed": stepwell.StepwellClient(uri).delete_artifacts(run_id, "many")}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--store", default="folder")
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--move", action="store_true")
    arguments = parser.parse_args()
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        source, moved = Path(name) / "many", Path(name) / "moved"
        source.mkdir()
        for number in range(arguments.files):
            (source / f"{number:07}.bin").write_bytes(b"%d" % number + os.urandom(100))
        moved.mkdir()
        with servers(Path(name), arguments.store, "--artifact-folder", str(moved)) as (server, _):
            import stepwell

            uri = server.tracking_uri
            run_id = stepwell.StepwellClient(uri).create_run("0").info.run_id
            there_and_back = {"move": (move, uri, f"file://{moved}"), "move_back": (move, uri, "")}
            steps: dict[str, tuple[Any, ...]] = {
                "log": (log, uri, run_id, str(source)),
                "list_pages": (list_pages, uri, run_id),
                "list": (list_all, uri, run_id),
                "verify": (verify, uri),
                "fetch": (fetch, uri, run_id, str(Path(name) / "fetched")),
                **(there_and_back if arguments.move else {}),
                "remove": (remove, uri, run_id),
            }
            for word, work in steps.items():
                result[word] = in_process(step, *work)
                result[word]["server_peak_mb"] = peak_mb(server.process.pid)
                print(word, result[word], file=sys.stderr)
    print(json.dumps({**vars(arguments), **result, **surroundings()}))


if __name__ == "__main__":
    main()
