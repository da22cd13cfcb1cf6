"""What is moved up and down, by a client in a process of its own, and the servers that take it."""

import multiprocessing
import os
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.harness.content.disks import folder_in_memory
from tests.harness.content.stores import ALL_SERVERS, Store
from tests.harness.servers.processes import ServerProcess

MB = 10**6
PIECE = 8 * MB


def write_file(path: Path, size: int) -> None:
    """Make a file of bytes that were never there before."""
    with path.open("wb") as file:
        for start in range(0, size, PIECE):
            file.write(os.urandom(min(PIECE, size - start)))


def write_small_files(folder: Path, count: int) -> None:
    """Make a folder of files of 1 to 4 KB, each of another content."""
    folder.mkdir()
    for number in range(count):
        (folder / f"{number:06}.bin").write_bytes(os.urandom(1_000 + number % 3_000))


def peak_mb(process_id: int | str = "self") -> float:
    """Return the peak of a process's memory so far."""
    status = Path(f"/proc/{process_id}/status").read_text()
    return round(int(status.split("VmHWM:")[1].split()[0]) * 1024 / MB, 1)


def in_process(work: Callable[..., Any], *arguments: Any) -> Any:
    """Run something in a fresh process and return what it returns, or raise what it raised."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    process = context.Process(target=_answer, args=(results, work, arguments))
    process.start()
    answer, failure = results.get(timeout=7_200)
    process.join()
    if failure:
        raise RuntimeError(failure)
    return answer


def _answer(results: Any, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    try:
        results.put((work(*arguments), ""))
    except BaseException:
        results.put((None, traceback.format_exc()))
        raise


def transfer(uri: str, source: str, target: str) -> dict[str, Any]:
    """Log a file and fetch it again."""
    import stepwell

    client = stepwell.StepwellClient(uri)
    run_id = client.create_run("0").info.run_id
    before = peak_mb()
    started = time.perf_counter()
    client.log_artifact(run_id, source)
    logged = time.perf_counter()
    client.download_artifacts(run_id, Path(source).name, target)
    fetched = time.perf_counter()
    return {
        "upload_s": logged - started,
        "download_s": fetched - logged,
        "client_peak_mb": peak_mb(),
        "client_before_mb": before,
    }


def log_folder(uri: str, folder: str, target: str) -> dict[str, Any]:
    """Log a folder of small files and fetch it again."""
    import stepwell

    client = stepwell.StepwellClient(uri)
    run_id = client.create_run("0").info.run_id
    started = time.perf_counter()
    client.log_artifacts(run_id, folder)
    logged = time.perf_counter()
    client.download_artifacts(run_id, "", target)
    fetched = time.perf_counter()
    return {"upload_s": logged - started, "download_s": fetched - logged, "client_peak_mb": peak_mb()}


@contextmanager
def _place(folder: Path, kind: str) -> Iterator[Path]:
    """Make the folder of a store's server; that of Google's stand-in in memory, where there is room.

    For each object it waits for the disk, several times, one object after the other: it took 200 a second.
    """
    place = folder_in_memory() if kind == "gcs" else None
    with tempfile.TemporaryDirectory(dir=place or folder) as made:
        yield Path(made)


@contextmanager
def servers(
    folder: Path, kind: str, *more: str, before: Sequence[str] = ()
) -> Iterator[tuple[ServerProcess, Store | None]]:
    """Run a server, with more options, on a folder, or on another server beside it; `before`: see `ServerProcess`."""
    folder.chmod(0o755)  # the embedded PostgreSQL may run as a user of its own
    with ExitStack() as stack:
        options = ["--data", str(folder / "data"), *more]
        store = None
        if kind != "folder":
            store = stack.enter_context(ALL_SERVERS[kind](stack.enter_context(_place(folder, kind))))
            options += ["--artifacts", f"{store.root}/artifacts"]
            os.environ["STEPWELL_ARTIFACT_HOSTS"] = "127.0.0.1"  # for the clients
        # Nothing is measured that waits in the outbox because of a store that was too slow.
        os.environ["STEPWELL_ON_UNREACHABLE"] = "raise"
        environment = dict(store.environment(None)) if store else {}
        yield stack.enter_context(ServerProcess(*options, environment=environment, before=before)), store
