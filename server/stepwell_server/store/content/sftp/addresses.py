"""How places on SFTP servers are written: sftp://user@host:port/path, without a password."""

import re
from dataclasses import dataclass

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.store.content.forms import checked_prefix, shown

PORT_DEFAULT = 22
FORM = "sftp://user@host/path"

_ROOT = re.compile(
    r"sftp://(?:(?P<user>[^\s/:@?#%\\]+)(?P<password>:[^/@]*)?@)?"
    r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])"
    r"(?::(?P<port>\d{1,5}))?/(?P<path>.*)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class SftpAddress:
    """An account of a server, and a folder there. Without a user, SSH's configuration says who it is."""

    host: str
    port: int
    user: str
    path: str

    @property
    def account(self) -> str:
        """Who, on which host, as ssh takes it."""
        return f"{self.user}@{self.host}" if self.user else self.host

    @property
    def root(self) -> str:
        """The one form that the place has."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == PORT_DEFAULT else f":{self.port}"
        return f"sftp://{self.user}{'@' if self.user else ''}{host}{port}{self.path}"


def parse(location: str) -> SftpAddress:
    """Take a location apart.

    Raises:
        InvalidArgumentError: it is none, has a password, or a path that could mean another place.
    """
    found = _ROOT.fullmatch(location)
    if found is None:
        raise InvalidArgumentError(
            f"{_without_password(location)} names no folder of a server; the form is {FORM}"
        )
    if found["password"] is not None:
        raise InvalidArgumentError(
            f"{_without_password(location)} has a password, which would be stored and shown; leave it out and let "
            f"the server in by a key: ssh-copy-id {found['user']}@{found['host']}"
        )
    port = int(found["port"] or PORT_DEFAULT)
    path = checked_prefix(location, found["path"])
    if not 1 <= port <= 65_535 or not path:
        raise InvalidArgumentError(f"{shown(location)} names no folder of a server; the form is {FORM}")
    return SftpAddress(found["host"].strip("[]").lower(), port, found["user"] or "", f"/{path}")


def sftp_root(location: str) -> str:
    """Return the root of a location. Raises as `parse`."""
    return parse(location).root


def _without_password(location: str) -> str:
    return shown(re.sub(r"(//[^/@:]*):[^/]*@", r"\1:***@", location))
