"""A real SFTP server for tests: that of asyncssh on a folder, in a process of its own, and an account that it lets in.

It runs as `python -m tests.harness.content.sftp FOLDER PORT HOST_KEY AUTHORIZED_KEYS`.
"""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from tests.harness.content.files import files_below
from tests.harness.content.s3 import _wait_until_ready
from tests.harness.network.ports import free_port

ROOT = Path(__file__).parents[3]
STOP_S = 10.0
USER = "stepwell"


@dataclass(frozen=True, slots=True)
class SftpServer:
    """A server: where it listens, the folder that it shows as /, and the home of who may come in."""

    port: int
    folder: Path
    home: Path
    process: "subprocess.Popen[bytes]"
    user: str = USER
    # How the folder is called there.
    path: str = ""
    # The key by which it is known.
    host_key: Path | None = None

    def root(self, port: int | None = None) -> str:
        """Return where artifacts may go, maybe through a proxy."""
        return f"sftp://{self.user}@127.0.0.1:{port or self.port}{self.path}"

    def environment(self) -> dict[str, str]:
        """Return what who wants to use it has to know."""
        return {"HOME": str(self.home), "SSH_AUTH_SOCK": ""}

    def trust(self, port: int) -> None:
        """Take the server for known on a proxy's port, too."""
        known = self.home / ".ssh" / "known_hosts"
        known.write_text(f"{known.read_text() if known.exists() else ''}{self.known_host(port)}")

    def known_host(self, port: int | None = None, key: Path | None = None) -> str:
        """Return the line of known_hosts for the server, or for one that had another key."""
        named = key or self.host_key or self.home / "host_key"
        return f"[127.0.0.1]:{port or self.port} {named.with_name(f'{named.name}.pub').read_text()}"

    def objects(self) -> dict[str, int]:
        """Return what lies there, also what is unfinished: sizes by path."""
        return {
            f"{self.path}/{path.relative_to(self.folder).as_posix()}".lstrip("/"): path.stat().st_size
            for path in files_below(self.folder)
        }


@contextmanager
def sftp_server(folder: Path, port: int | None = None) -> Iterator[SftpServer]:
    """Run a server on a folder while the context lasts; the same folder has the same keys the next time."""
    home, shown = folder / "home", folder / "shown"
    if not home.exists():
        (home / ".ssh").mkdir(parents=True)
        shown.mkdir()
        make_key(home / "host_key")
        make_key(home / ".ssh" / "id_ed25519")
    chosen = port or free_port()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.harness.content.sftp", str(shown), str(chosen)),
            *(str(home / "host_key"), str(home / ".ssh" / "id_ed25519.pub")),
        ],
        stdin=subprocess.DEVNULL,
        cwd=ROOT,
    )
    try:
        _wait_until_ready(chosen, process)
        server = SftpServer(chosen, shown, home, process)
        server.trust(chosen)
        yield server
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait(STOP_S)


def make_key(path: Path, kind: str = "ssh-ed25519") -> None:
    """Make a pair of keys."""
    key = asyncssh.generate_private_key(kind)
    key.write_private_key(path)
    path.chmod(0o600)
    key.write_public_key(path.with_name(f"{path.name}.pub"))


async def _serve(folder: str, port: str, host_key: str, authorized: str) -> None:
    await asyncssh.listen(
        "127.0.0.1",
        int(port),
        server_host_keys=[host_key],
        authorized_client_keys=authorized,
        sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=folder.encode()),
    )
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(*sys.argv[1:]))
