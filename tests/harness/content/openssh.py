"""OpenSSH's own server for tests: the machine's, or unpacked from Debian's package. It needs no root and no service.

sshd lets in the user that it runs as, by a key; started by root, that is `nobody`.
"""

import getpass
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.harness import npm
from tests.harness.content.s3 import _wait_until_ready
from tests.harness.content.sftp import SftpServer, make_key
from tests.harness.network.ports import free_port

PACKAGES = ("openssh-server", "libwrap0")
INSTALL_S = 300.0
STOP_S = 10.0
INSTALLED = Path("/usr/sbin/sshd")
UNPACKED = Path(__file__).parents[2] / "content" / ".openssh"
CONFIGURATION = """\
ListenAddress 127.0.0.1
Port {port}
{host_keys}
AuthorizedKeysFile {home}/authorized_keys
PidFile none
UsePAM yes
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
Subsystem sftp internal-sftp
ForceCommand internal-sftp
"""
# Those of OpenSSH 9.8 and later, which is several programs.
PARTS = {"SshdSessionPath": "sshd-session", "SshdAuthPath": "sshd-auth"}


def is_to_be_had() -> bool:
    """Tell whether there is an sshd, or Debian's packages are."""
    return INSTALLED.exists() or shutil.which("apt-get") is not None


@contextmanager
def openssh_server(host_keys: tuple[str, ...] = ("ssh-ed25519",)) -> Iterator[SftpServer]:
    """Run sshd, with keys of these kinds, while the context lasts."""
    user = "nobody" if os.geteuid() == 0 else getpass.getuser()
    # Not below a folder of pytest's: others may not enter those.
    with tempfile.TemporaryDirectory(prefix="stepwell-sshd-") as name:
        folder, port = Path(name), free_port()
        command, environment = _program(folder)
        home, shown = folder / "home", folder / "shown"
        (home / ".ssh").mkdir(parents=True)
        shown.mkdir()
        for kind in host_keys:
            make_key(home / kind, kind)
        make_key(home / ".ssh" / "id_ed25519")
        shutil.copy(home / ".ssh" / "id_ed25519.pub", home / "authorized_keys")
        lines = "\n".join(f"HostKey {home / kind}" for kind in host_keys)
        configured = CONFIGURATION.format(port=port, home=home, host_keys=lines)
        parts = [f"{word} {program}" for word, program in _parts(folder)]
        (home / "sshd_config").write_text("\n".join([configured, *parts, ""]))
        _give(folder, user)
        process = subprocess.Popen(
            [*command, "-D", "-E", str(folder / "log"), "-f", str(home / "sshd_config")],
            stdin=subprocess.DEVNULL,
            env={**os.environ, **environment},
            start_new_session=True,  # each connection has a process of its own
            **_as(user),
        )
        try:
            _wait_until_ready(port, process)
            server = SftpServer(port, shown, home, process, user, str(shown), home / host_keys[0])
            server.trust(port)
            yield server
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(STOP_S)


def _program(folder: Path) -> tuple[list[str], dict[str, str]]:
    """Return the command of sshd and what it has to know; a copy that its user may run, if it is not the machine's."""
    if INSTALLED.exists():
        return [str(INSTALLED)], {}
    with npm.alone(UNPACKED):
        if not (UNPACKED / "usr/sbin/sshd").exists():
            unpack_packages(UNPACKED, PACKAGES)
    shutil.copytree(UNPACKED / "usr", folder / "usr", symlinks=True)
    libraries = os.pathsep.join(str(it) for it in (folder / "usr/lib").iterdir() if it.is_dir())
    return [str(folder / "usr/sbin/sshd")], {"LD_LIBRARY_PATH": libraries}


def _parts(folder: Path) -> Iterator[tuple[str, Path]]:
    for word, name in PARTS.items():
        program = folder / "usr/lib/openssh" / name
        if program.exists():
            yield word, program


def unpack_packages(folder: Path, packages: tuple[str, ...]) -> None:
    """Unpack packages of Debian; where its lists are too old, or nobody has fetched them yet, they come first."""
    lists = folder / "lists"
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    own = ("-o", f"Dir::State::Lists={lists}")
    download = ("download", *packages)
    if _apt(folder, *download).returncode:
        _apt(folder, *own, "update").check_returncode()
        _apt(folder, *own, *download).check_returncode()
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, folder], check=True, timeout=INSTALL_S)
    shutil.rmtree(lists)


def _apt(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        ["apt-get", "-q", *arguments], cwd=folder, capture_output=True, timeout=INSTALL_S, check=False
    )


def _give(folder: Path, user: str) -> None:
    """Let a folder be a user's."""
    if os.geteuid() == 0:
        account = pwd.getpwnam(user)
        for path in (folder, *folder.rglob("*")):
            os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)


def _as(user: str) -> dict[str, object]:
    if os.geteuid() != 0:
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
