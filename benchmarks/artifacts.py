"""Artifacts up and down: MB/s, files/s, peak memory; through the server to a folder, and straight to S3.

    python -m benchmarks.artifacts folder [--size-mb 1000] [--rounds 3]    beside MLflow through its server
    python -m benchmarks.artifacts s3     [--size-mb 1000] [--rounds 3]    beside a bare aiobotocore program
    python -m benchmarks.artifacts sftp   [--size-mb 1000] [--rounds 3]    beside a bare asyncssh program
    python -m benchmarks.artifacts small  [--files 10000]                  beside MLflow through its server
    python -m benchmarks.artifacts memory [--size-mb 5000] [--store folder|s3|sftp]

A real server (embedded PostgreSQL, fsync on) and a client in a process of its own; for S3 `rclone serve s3` on this
machine, for SFTP the server of asyncssh. Every upload is of new content, and its clock runs until the artifact is
visible: hashed, sent, checked, flushed to the disk (folder, SFTP) or taken by the bucket (S3), and committed. Downloads
are checked against the SHA-256.
Peak memory is VmHWM of the whole process, interpreter and libraries included. Prints JSON.

MLflow's `log_artifact` goes through `mlflow server --serve-artifacts` to a folder on the same disk, with the same files
in the same run; it neither flushes nor checks what it took. `--without-mlflow` leaves it out.
"""

# ruff: noqa: ASYNC230, ASYNC240 - the bare program reads files as simply as it can

import argparse
import asyncio
import json
import multiprocessing
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.compare.peers import HERE, MLFLOW_WITH_ARTIFACTS, environment_of, running_peer
from benchmarks.surroundings import surroundings
from tests.harness.processes import ServerProcess
from tests.harness.s3 import BUCKET, s3_server
from tests.harness.sftp import sftp_server

MB = 10**6
PIECE = 8 * MB
PART_BYTES = 16 * 2**20  # for aiobotocore the parts and the number at once that our client uses
PARTS_AT_ONCE = 4


def write_file(path: Path, size: int) -> None:
    """Make a file of bytes that were never there before."""
    with path.open("wb") as file:
        for start in range(0, size, PIECE):
            file.write(os.urandom(min(PIECE, size - start)))


def peak_mb(process_id: int | str = "self") -> float:
    """Return the peak of a process's memory so far."""
    status = Path(f"/proc/{process_id}/status").read_text()
    return round(int(status.split("VmHWM:")[1].split()[0]) * 1024 / MB, 1)


def in_process(work: Callable[..., Any], *arguments: Any) -> Any:
    """Run something in a fresh process and return what it returns."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    process = context.Process(target=_answer, args=(results, work, arguments))
    process.start()
    answer = results.get(timeout=1_800)
    process.join()
    return answer


def _answer(results: Any, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    results.put(work(*arguments))


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


def bare(environment: dict[str, str], source: str, target: str) -> dict[str, float]:
    """Do the same with aiobotocore alone: parts at once up, ranges at once down, nothing checked."""
    os.environ.update(environment)
    return asyncio.run(_bare(source, target))


async def _bare(source: str, target: str) -> dict[str, float]:
    from aiobotocore.session import get_session

    async with get_session().create_client("s3") as s3:
        started = time.perf_counter()
        await _bare_upload(s3, source)
        logged = time.perf_counter()
        fetched = await _bare_download(s3, source, target)
        return {"upload_s": logged - started, "download_s": fetched - logged}


async def _bare_upload(s3: Any, source: str) -> None:
    name = {"Bucket": BUCKET, "Key": f"bare-{Path(source).name}-{time.time_ns()}"}
    upload = {**name, "UploadId": (await s3.create_multipart_upload(**name))["UploadId"]}
    room = asyncio.Semaphore(PARTS_AT_ONCE)

    async def send(number: int) -> dict[str, Any]:
        async with room:
            with Path(source).open("rb") as file:
                file.seek((number - 1) * PART_BYTES)
                data = file.read(PART_BYTES)
            answer = await s3.upload_part(**upload, PartNumber=number, Body=data)
            return {"PartNumber": number, "ETag": answer["ETag"]}

    count = -(-Path(source).stat().st_size // PART_BYTES)
    parts = await asyncio.gather(*(send(number) for number in range(1, count + 1)))
    await s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})


async def _bare_download(s3: Any, source: str, target: str) -> float:
    """Return when it was done; then the object goes, to save room."""
    prefix = f"bare-{Path(source).name}-"
    key = (await s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix))["Contents"][0]["Key"]
    room = asyncio.Semaphore(PARTS_AT_ONCE)
    size = Path(source).stat().st_size
    with Path(target).open("wb") as file:

        async def fetch(start: int) -> None:
            async with room:
                end = min(start + PART_BYTES, size) - 1
                answer = await s3.get_object(Bucket=BUCKET, Key=key, Range=f"bytes={start}-{end}")
                os.pwrite(file.fileno(), await answer["Body"].read(), start)

        await asyncio.gather(*(fetch(start) for start in range(0, size, PART_BYTES)))
    fetched = time.perf_counter()
    await s3.delete_object(Bucket=BUCKET, Key=key)
    return fetched


def bare_sftp(environment: dict[str, str], root: str, source: str, target: str) -> dict[str, float]:
    """Do the same with asyncssh alone, as its `put` and `get` do it; nothing is checked or flushed."""
    os.environ.update(environment)
    return asyncio.run(_bare_sftp(root, source, target))


async def _bare_sftp(root: str, source: str, target: str) -> dict[str, float]:
    import asyncssh

    from stepwell_server.store.content.sftp.addresses import parse

    at = parse(f"{root}/bare")
    async with (
        asyncssh.connect(at.host, at.port, username=at.user) as connection,
        connection.start_sftp_client() as sftp,
    ):
        await sftp.makedirs(at.path, exist_ok=True)
        remote = f"{at.path}/{time.time_ns()}"
        started = time.perf_counter()
        await sftp.put(source, remote)
        logged = time.perf_counter()
        await sftp.get(remote, target)
        fetched = time.perf_counter()
        await sftp.remove(remote)
    return {"upload_s": logged - started, "download_s": fetched - logged}


@dataclass(frozen=True, slots=True)
class Bare:
    """A library that does the same by itself: its name, and what is called, with a source and a target."""

    name: str
    work: Callable[..., dict[str, float]]
    arguments: tuple[Any, ...]


@contextmanager
def servers(folder: Path, store: str) -> Iterator[tuple[ServerProcess, Bare | None]]:
    """Run a server on a folder, or on another server beside it."""
    folder.chmod(0o755)  # the embedded PostgreSQL may run as a user of its own
    with ExitStack() as stack:
        options = ["--data", str(folder / "data")]
        environment, library = {}, None
        if store == "s3":
            s3 = stack.enter_context(s3_server(folder / "s3"))
            options += ["--artifacts", f"s3://{BUCKET}/artifacts"]
            os.environ["STEPWELL_ARTIFACT_HOSTS"] = "127.0.0.1"  # for the clients
            environment = s3.environment()
            library = Bare("aiobotocore", bare, (environment,))
        elif store == "sftp":
            sftp = stack.enter_context(sftp_server(folder / "sftp"))
            options += ["--artifacts", f"{sftp.root()}/artifacts"]
            environment = sftp.environment()
            library = Bare("asyncssh", bare_sftp, (environment, sftp.root()))
        yield stack.enter_context(ServerProcess(*options, environment=environment)), library


@contextmanager
def mlflow_server(folder: Path) -> Iterator[str]:
    """Run MLflow's server; yields its URI."""
    with running_peer(MLFLOW_WITH_ARTIFACTS, f"sqlite:///{folder}/mlflow.db") as port:
        yield f"http://127.0.0.1:{port}"


def mlflow(uri: str, source: Path, target: Path) -> dict[str, float]:
    """Let MLflow's client log and fetch a file or a folder, in a process of its own."""
    python = environment_of(MLFLOW_WITH_ARTIFACTS) / "bin/python"
    command = [python, HERE / "mlflow_artifacts.py", uri, source, target]
    target.mkdir()
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    shutil.rmtree(target)
    seconds: dict[str, float] = json.loads(answer.stdout)
    return seconds


def one_round(
    folder: Path, size: int, server: ServerProcess, library: Bare | None, mlflow_uri: str | None
) -> dict[str, Any]:
    """Measure one file of new content, and a bare library or MLflow on the same file."""
    source, target = folder / "source.bin", folder / "fetched"
    write_file(source, size)
    result = in_process(transfer, server.tracking_uri, str(source), str(target))
    result["server_peak_mb"] = peak_mb(server.process.pid)
    result["upload_mb_per_s"] = round(size / MB / result["upload_s"])
    result["download_mb_per_s"] = round(size / MB / result["download_s"])
    (target / source.name).unlink()
    if library is not None:
        compared = in_process(library.work, *library.arguments, str(source), str(folder / "bare.bin"))
        result[f"upload_of_{library.name}"] = round(compared["upload_s"] / result["upload_s"], 2)
        result[f"download_of_{library.name}"] = round(compared["download_s"] / result["download_s"], 2)
        result[f"{library.name}_upload_mb_per_s"] = round(size / MB / compared["upload_s"])
        result[f"{library.name}_download_mb_per_s"] = round(size / MB / compared["download_s"])
        (folder / "bare.bin").unlink()
    if mlflow_uri is not None:
        seconds = mlflow(mlflow_uri, source, folder / "of-mlflow")
        result["mlflow_upload_mb_per_s"] = round(size / MB / seconds["upload_s"])
        result["mlflow_download_mb_per_s"] = round(size / MB / seconds["download_s"])
    return result


def large(arguments: argparse.Namespace, store: str) -> dict[str, Any]:
    """Measure rounds of one large file; the medians say most, because others share the machine."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server, library = stack.enter_context(servers(folder, store))
        compared = arguments.workload == "folder" and not arguments.without_mlflow
        uri = stack.enter_context(mlflow_server(folder)) if compared else None
        rounds = [
            one_round(folder, arguments.size_mb * MB, server, library, uri) for _ in range(arguments.rounds)
        ]
    medians = {key: round(median(result[key] for result in rounds), 3) for key in rounds[0]}
    return {"medians": medians, "rounds": rounds}


def small(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure a folder of small files, each of another content and of 1 to 4 KB."""
    with tempfile.TemporaryDirectory() as name, servers(Path(name), "folder") as (server, _):
        source = Path(name) / "small"
        source.mkdir()
        for number in range(arguments.files):
            (source / f"{number:06}.bin").write_bytes(os.urandom(1_000 + number % 3_000))
        result = in_process(log_folder, server.tracking_uri, str(source), str(Path(name) / "out"))
        result["server_peak_mb"] = peak_mb(server.process.pid)
        result["files_per_s_up"] = round(arguments.files / result["upload_s"])
        result["files_per_s_down"] = round(arguments.files / result["download_s"])
        if not arguments.without_mlflow:
            with mlflow_server(Path(name)) as uri:
                seconds = mlflow(uri, source, Path(name) / "of-mlflow")
            result["mlflow_files_per_s_up"] = round(arguments.files / seconds["upload_s"])
            result["mlflow_files_per_s_down"] = round(arguments.files / seconds["download_s"])
    return result


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("workload", choices=["folder", "s3", "sftp", "small", "memory"])
    parser.add_argument("--size-mb", type=int)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument(
        "--store", choices=["folder", "s3", "sftp"], default="folder", help="of the workload memory"
    )
    parser.add_argument("--without-mlflow", action="store_true")
    arguments = parser.parse_args()
    is_memory = arguments.workload == "memory"
    arguments.size_mb = arguments.size_mb or (5_000 if is_memory else 1_000)
    arguments.rounds = arguments.rounds or (1 if is_memory else 3)
    if arguments.workload == "small":
        result = small(arguments)
    else:
        result = large(arguments, arguments.store if is_memory else arguments.workload)
    print(json.dumps({**vars(arguments), **result, **surroundings()}))


if __name__ == "__main__":
    main()
