"""Tokens of the server's own credentials with Google, by google-auth over the standard library's HTTP."""

import asyncio
import urllib.error
import urllib.request
from collections.abc import Mapping
from email.message import Message
from typing import Any

import google.auth
import google.auth.exceptions
import google.auth.transport

from stepwell_server.errors import UnavailableError

SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
TIMEOUT_S = 30
ANSWER_BYTES_MAX = 1024 * 1024


class Tokens:
    """Tokens, asked for anew shortly before they expire."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._credentials: Any = None

    async def headers(self) -> Mapping[str, str]:
        """Return the headers of a request that is allowed.

        Raises:
            UnavailableError: there are no credentials, or Google does not take them.
        """
        async with self._lock:
            try:
                return await asyncio.to_thread(self._headers)
            except google.auth.exceptions.GoogleAuthError as error:
                raise UnavailableError(f"Google does not know who this server is: {error}") from error

    def _headers(self) -> Mapping[str, str]:
        if self._credentials is None:
            self._credentials, _ = google.auth.default(scopes=[SCOPE], request=_Asking())
        if not self._credentials.valid:
            self._credentials.refresh(_Asking())
        return {"Authorization": f"Bearer {self._credentials.token}"}


class _Answer(google.auth.transport.Response):
    """What google-auth reads of an answer."""

    def __init__(self, status: int, headers: Message, data: bytes) -> None:
        self._status, self._headers, self._data = status, headers, data

    @property
    def status(self) -> int:
        return self._status

    @property
    def headers(self) -> Any:  # which asks in small letters
        return self._headers

    @property
    def data(self) -> bytes:
        return self._data


class _Asking(google.auth.transport.Request):
    """How google-auth asks; its own ways bring libraries along that take 15 MB."""

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **_: object,
    ) -> _Answer:
        if not url.startswith(("https://", "http://")):
            raise _failed(f"{url!r} is no address of a server")
        data = body.encode() if isinstance(body, str) else body
        request = urllib.request.Request(url, data, dict(headers or {}), method=method)  # noqa: S310 - see above
        try:
            with urllib.request.urlopen(request, timeout=timeout or TIMEOUT_S) as answer:  # noqa: S310
                return _Answer(answer.status, answer.headers, answer.read(ANSWER_BYTES_MAX))
        except urllib.error.HTTPError as refusal:
            with refusal:
                return _Answer(refusal.code, refusal.headers, refusal.read(ANSWER_BYTES_MAX))
        except (OSError, ValueError) as error:
            raise _failed(error) from error


def _failed(why: object) -> Exception:
    failure: Exception = google.auth.exceptions.TransportError(why)  # type: ignore[no-untyped-call]
    return failure
