"""What this process shows a server to say who it is: from the environment, or from a file of this user.

~/.config/stepwell/credentials (or below XDG_CONFIG_HOME) has a line for each server, written by `stepwell login`:

    http://tracker.example.org:5000 stepwell_…

Others may not read it. It is read when a call is made, so a process that runs takes what another one has written.
Nothing here is logged, put into a message, a spool or a tag.
"""

import base64
import os
import stat
from pathlib import Path

from stepwell import settings
from stepwell.addresses import Address
from stepwell.errors import StepwellException
from stepwell.spool import safe_files

FILE_BYTES_MAX = 2**20
_HEADING = "# Who you are for Stepwell's servers; written by `stepwell login`. Keep it to yourself.\n"

# The file as it was read last: its state, and the tokens by server.
_read: tuple[tuple[int, int, int], dict[str, str]] | None = None


def authorization(address: Address) -> str | None:
    """Return the header that says who calls a server; None when nobody said who that is.

    Raises:
        StepwellException: UNAUTHENTICATED when others may read the file of credentials.
    """
    token, name, password = settings.credentials()
    token = token or ("" if name else _token_of(address))
    if token:
        if not (token.isascii() and token.isprintable()):
            raise _unusable(f"The token from {source(address)} has characters that no token has.")
        return f"Bearer {token}"
    return basic(name, password) if name else None


def basic(name: str, password: str) -> str:
    """Return the header of a name and its password."""
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def source(address: Address) -> str:
    """Return where the credential for a server comes from, for people; "" when there is none."""
    return settings.credentials_source() or (str(path()) if _token_of(address) else "")


def path() -> Path:
    """Return where the file is."""
    return settings.config_dir() / "credentials"


def key_of(address: Address) -> str:
    """Return what a server is called in the file."""
    return address.page or f"{'grpcs' if address.secure else 'grpc'}://{address.target}"


def keep(address: Address, token: str) -> None:
    """Write the token for a server into the file, which is this user's alone."""
    _write({**_tokens(), **{key_of(place): token for place in address.places}})


def forget(address: Address) -> bool:
    """Take the token for a server out of the file; tells whether there was one."""
    tokens = dict(_tokens())
    found = [tokens.pop(key_of(place), None) for place in address.places]
    if not any(found):
        return False
    _write(tokens)
    return True


def _token_of(address: Address) -> str:
    """Return the token for a server, "" without one; servers that are named together have one between them."""
    tokens = _tokens()
    return next((tokens[key] for place in address.places if (key := key_of(place)) in tokens), "")


def _write(tokens: dict[str, str]) -> None:
    file = path()
    file.parent.mkdir(mode=safe_files.FOLDER_MODE, parents=True, exist_ok=True)
    new = file.with_name(f"credentials.{os.getpid()}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, safe_files.FILE_MODE)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        os.fchmod(descriptor, safe_files.FILE_MODE)
        opened.write(_HEADING + "".join(f"{server} {token}\n" for server, token in sorted(tokens.items())))
    new.replace(file)


def _tokens() -> dict[str, str]:
    """Return the tokens of the file by server; it is read again when it has changed."""
    global _read
    file = path()
    try:
        status = file.stat()
    except OSError:
        _read = None
        return {}
    _check(file, status)
    state = (status.st_mtime_ns, status.st_size, status.st_ino)
    if _read is None or _read[0] != state:
        with file.open(encoding="utf-8", errors="replace") as opened:
            lines = opened.read(FILE_BYTES_MAX).splitlines()
        pairs = (line.split() for line in lines if not line.lstrip().startswith("#"))
        _read = state, {pair[0]: pair[1] for pair in pairs if len(pair) == 2}
    return _read[1]


def _check(file: Path, status: os.stat_result) -> None:
    mode = stat.S_IMODE(status.st_mode)
    if status.st_uid != os.geteuid():
        raise _unusable(f"{file} belongs to user {status.st_uid}, not to this one ({os.geteuid()}).")
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise _unusable(
            f"Others may read or write {file}, where your tokens are (mode {mode:04o}): chmod 600 {file}, and revoke "
            "the tokens if somebody may have seen them."
        )


def _unusable(message: str) -> StepwellException:
    return StepwellException(message, "UNAUTHENTICATED")
