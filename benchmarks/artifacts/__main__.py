"""Artifacts up and down: MB/s, files/s, peak memory; through the server to a folder, and straight to buckets.

    python -m benchmarks.artifacts folder [--size-mb 1000] [--rounds 3]    beside MLflow through its server
    python -m benchmarks.artifacts s3     [--size-mb 1000] [--rounds 3]    beside a bare aiobotocore program
    python -m benchmarks.artifacts s3-no-md5 [--size-mb 1000] [--rounds 3] the same, see below
    python -m benchmarks.artifacts azure  [--size-mb 1000] [--rounds 3]    beside a bare obstore program
    python -m benchmarks.artifacts gcs    [--size-mb 1000] [--rounds 3]    beside the same, and plain HTTP up;
                                          [--with-googles]                 and Google's own library, which takes minutes
    python -m benchmarks.artifacts sftp   [--size-mb 1000] [--rounds 3]    beside a bare asyncssh program
    python -m benchmarks.artifacts openssh [--size-mb 1000] [--rounds 3]   the same with OpenSSH's server
    python -m benchmarks.artifacts small  [--files 10000] [--store folder] beside MLflow, or what is bare
    python -m benchmarks.artifacts memory [--size-mb 5000] [--store folder|s3|azure|gcs|sftp|openssh]
    python -m benchmarks.artifacts.many_files                              100,000 files in one folder, see there

A real server (embedded PostgreSQL, fsync on) and a client in a process of its own; beside them, on this machine,
`rclone serve s3`, azurite for Azure, fake-gcs-server for Google, and asyncssh's server, or OpenSSH's, for SFTP. Every
upload is of new content, and its clock runs until the artifact is visible: hashed, sent, checked, flushed to the disk
(folder, SFTP) or taken by the bucket, and committed. Downloads are checked against the SHA-256.
Peak memory is VmHWM of the whole process, interpreter and libraries included. Prints JSON.

rclone reads all of an object for its MD5 before it answers the first question about it, where S3 has a tag at once.
Stepwell asks, to verify; the bare program does so when it fetches. With `s3-no-md5` rclone leaves that out, for both.

MLflow's `log_artifact` goes through `mlflow server --serve-artifacts` to a folder on the same disk, with the same files
in the same run; it neither flushes nor checks what it took. `--without-mlflow` leaves it out.
"""

import argparse
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.artifacts.bare_stores import LIBRARIES, bare, bare_small, googles
from benchmarks.artifacts.moving import (
    MB,
    in_process,
    log_folder,
    peak_mb,
    servers,
    transfer,
    write_file,
    write_small_files,
)
from benchmarks.compare.peers import HERE, MLFLOW_WITH_ARTIFACTS, environment_of, running_peer
from benchmarks.measuring.surroundings import surroundings
from tests.harness.content.stores import ALL_SERVERS, Store
from tests.harness.servers.processes import ServerProcess

WARMING_FILES = 1_000


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
    folder: Path,
    size: int,
    server: ServerProcess,
    kind: str,
    store: Store | None,
    mlflow_uri: str | None,
    *,
    is_compared: bool,
    with_googles: bool,
) -> dict[str, Any]:
    """Measure one file of new content, and if it is to be compared a bare library or MLflow on the same file."""
    source, target = folder / "source.bin", folder / "fetched"
    write_file(source, size)
    # What was written before, both may wait for: it is on the disk before a clock runs.
    os.sync()
    result = in_process(transfer, server.tracking_uri, str(source), str(target))
    result["server_peak_mb"] = peak_mb(server.process.pid)
    result["upload_mb_per_s"] = round(size / MB / result["upload_s"])
    result["download_mb_per_s"] = round(size / MB / result["download_s"])
    (target / source.name).unlink()
    if store is not None and is_compared:
        given = (kind, store.root, dict(store.environment(None)), str(source), str(folder / "bare.bin"))
        os.sync()
        compared = in_process(bare, *given)
        for way, library in zip(("upload", "download"), LIBRARIES[kind], strict=True):
            result[f"{way}_of_{library}"] = round(compared[f"{way}_s"] / result[f"{way}_s"], 2)
            result[f"{library}_{way}_mb_per_s"] = round(size / MB / compared[f"{way}_s"])
        (folder / "bare.bin").unlink()
        if with_googles:
            taken = googles(
                store.root, dict(store.environment(None)), str(source), str(folder / "googles.bin")
            )
            for way in ("upload", "download"):
                result[f"{way}_of_googles"] = round(taken[f"{way}_s"] / result[f"{way}_s"], 2)
                result[f"googles_{way}_mb_per_s"] = round(size / MB / taken[f"{way}_s"])
            (folder / "googles.bin").unlink()
    if mlflow_uri is not None:
        took = mlflow(mlflow_uri, source, folder / "of-mlflow")
        result["mlflow_upload_mb_per_s"] = round(size / MB / took["upload_s"])
        result["mlflow_download_mb_per_s"] = round(size / MB / took["download_s"])
    return result


def large(arguments: argparse.Namespace, kind: str) -> dict[str, Any]:
    """Measure rounds of one large file; the medians say most, because others share the machine."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server, store = stack.enter_context(servers(folder, kind))
        compared = arguments.workload == "folder" and not arguments.without_mlflow
        uri = stack.enter_context(mlflow_server(folder)) if compared else None
        size = arguments.size_mb * MB
        beside = {
            "is_compared": arguments.workload != "memory",
            "with_googles": arguments.workload == "gcs" and arguments.with_googles,
        }
        rounds = [
            one_round(folder, size, server, kind, store, uri, **beside) for _ in range(arguments.rounds)
        ]
    medians = {key: round(median(result[key] for result in rounds), 3) for key in rounds[0]}
    return {"medians": medians, "rounds": rounds}


def small(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure a folder of small files, each of another content and of 1 to 4 KB."""
    kind = arguments.store
    with tempfile.TemporaryDirectory() as name, servers(Path(name), kind) as (server, store):
        source = Path(name) / "small"
        write_small_files(source, arguments.files)
        if store is not None:
            # A stand-in that has just started is slower: it takes a while until it is compiled, or has its memory.
            write_small_files(Path(name) / "first", WARMING_FILES)
            first = (str(Path(name) / "first"), str(Path(name) / "first again"))
            in_process(bare_small, kind, store.root, dict(store.environment(None)), *first)
        result = in_process(log_folder, server.tracking_uri, str(source), str(Path(name) / "out"))
        result["server_peak_mb"] = peak_mb(server.process.pid)
        result["files_per_s_up"] = round(arguments.files / result["upload_s"])
        result["files_per_s_down"] = round(arguments.files / result["download_s"])
        if store is not None:
            given = (kind, store.root, dict(store.environment(None)), str(source), str(Path(name) / "bare"))
            compared = in_process(bare_small, *given)
            for way, word in (("upload", "up"), ("download", "down")):
                result[f"bare_files_per_s_{word}"] = round(arguments.files / compared[f"{way}_s"])
                result[f"{way}_of_bare"] = round(compared[f"{way}_s"] / result[f"{way}_s"], 2)
        if store is None and not arguments.without_mlflow:
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
    parser.add_argument("workload", choices=[*ALL_SERVERS, "small", "memory"])
    parser.add_argument("--size-mb", type=int)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--store", choices=list(ALL_SERVERS), default="folder", help="of small and memory")
    parser.add_argument("--without-mlflow", action="store_true")
    parser.add_argument("--with-googles", action="store_true", help="gcs: beside Google's own library, too")
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
