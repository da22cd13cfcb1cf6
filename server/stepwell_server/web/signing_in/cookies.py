"""The cookies of a browser's session: how they are called, and who may read them.

HttpOnly: no script reads them. SameSite=Lax: pages of other sites cannot use them, but links lead in. Over TLS their
name begins with `__Host-`, which browsers take from this very host alone: a neighbour below the same domain cannot
plant one. Without TLS the name ends with the port, because browsers send cookies to all ports of a host.
"""

import base64
import binascii
from collections.abc import Sequence

from starlette.requests import HTTPConnection
from starlette.responses import Response

from stepwell_server.web.hosts import port_of

SESSION = "stepwell"


class CookieJar:
    """Names and reads cookies, and sets them. `secure` says that browsers come over TLS, even if a proxy ends it."""

    def __init__(self, *, secure: bool | None = None) -> None:
        self._secure = secure

    def is_secure(self, connection: HTTPConnection) -> bool:
        """Tell whether the browser came over TLS."""
        return connection.scope["scheme"] == "https" if self._secure is None else self._secure

    def read(self, connection: HTTPConnection, name: str) -> str:
        """Return a cookie's value, "" when there is none, or when there are several: one of them may be planted."""
        full_name = self._full_name(connection, name)
        found = set(_values(connection.headers.getlist("cookie"), full_name))
        return found.pop() if len(found) == 1 else ""

    def set(
        self,
        connection: HTTPConnection,
        response: Response,
        name: str,
        value: str,
        seconds: float | None = None,
    ) -> None:
        """Let the answer set a cookie, for so long, or until the browser ends."""
        response.set_cookie(
            self._full_name(connection, name),
            value,
            max_age=None if seconds is None else round(seconds),
            path=_path(connection),
            secure=self.is_secure(connection),
            httponly=True,
            samesite="lax",
        )

    def drop(self, connection: HTTPConnection, response: Response, name: str) -> None:
        """Let the answer take a cookie away."""
        self.set(connection, response, name, "", 0)

    def _full_name(self, connection: HTTPConnection, name: str) -> str:
        if not self.is_secure(connection):
            return f"{name}-{port_of(connection.headers.get('host', '')) or 80}"
        return f"__Host-{name}" if _path(connection) == "/" else f"__Secure-{name}"


def _path(connection: HTTPConnection) -> str:
    return f"{connection.scope.get('root_path', '')}/"


def _values(headers: Sequence[str], name: str) -> list[str]:
    """Return all values of a cookie, as they stand there: ours need no quotes. Libraries keep the last one alone."""
    found: list[str] = []
    for header in headers:
        for pair in header.split(";"):
            key, equals, value = pair.strip().partition("=")
            if equals and key == name:
                found.append(value)
    return found


def packed(text: str) -> str:
    """Return a text as a cookie can carry it."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def unpacked(value: str) -> str:
    """Return what was packed, "" for what was not."""
    try:
        return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)).decode()
    except (binascii.Error, ValueError):
        return ""
