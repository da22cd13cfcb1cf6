"""What servers load: nothing that only others need. Each of these modules takes memory, and time at the start."""

import subprocess
import sys
from pathlib import Path

# What an idle server of one process has no use for: other stores, accounts, what comes with the first call.
UNUSED = [
    "aiobotocore",
    "aiohttp",
    "argon2",
    "asyncssh",
    "authlib",
    "boto3",
    "botocore",
    "connectrpc",
    "cryptography",
    "google.auth",
    "httpx2",
    "jinja2",
    "matplotlib",
    "mlflow",
    "multipart",
    "obstore",
    "pandas",
    "pyarrow",
    "requests",
    "rich",
    "stepwell",
    "stepwell_server.access",
    "stepwell_server.sign_in",
    "stepwell_server.workers",
    "urllib3",
    "yaml",
]
# What the parent of workers leaves to them.
OF_WORKERS = [
    "google.protobuf",
    "grpc",
    "httptools",
    "lark",
    "numpy",
    "orjson",
    "starlette",
    "stepwell_api",
    "stepwell_server.app",
    "stepwell_server.services",
    "stepwell_server.transport",
    "uvicorn",
]

SCRIPT = """
import asyncio, sys
from pathlib import Path
from stepwell_server.cli import _running
from stepwell_server.config import Config

async def main():
    config = Config(port=0, http_port=0, store=sys.argv[1], data=Path(sys.argv[2]), workers=int(sys.argv[3]))
    async with _running(config):
        print(*(sys.modules.keys() & set(sys.argv[4:])))

asyncio.run(main())
"""


def loaded(url: str, data: Path, workers: int, modules: list[str]) -> list[str]:
    """Which of the modules a process has that runs servers."""
    command = [sys.executable, "-c", SCRIPT, url, str(data), str(workers), *modules]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_an_idle_server_has_nothing_that_only_others_need(database_url: str, tmp_path: Path) -> None:
    assert loaded(database_url, tmp_path, 1, UNUSED) == []


def test_the_parent_of_workers_has_nothing_that_only_they_need(database_url: str, tmp_path: Path) -> None:
    assert loaded(database_url, tmp_path, 2, [*UNUSED, *OF_WORKERS]) == ["stepwell_server.workers"]


def test_s3_comes_without_the_http_library_that_it_does_not_use() -> None:
    script = """
import sys
import stepwell_server.store.content.buckets.s3
print(*(sys.modules.keys() & {"httpx", "httpx2"}))
import httpx2  # it is there for others
"""
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout == b"\n"
