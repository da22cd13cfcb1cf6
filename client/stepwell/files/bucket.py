"""PUT and GET at presigned addresses of a bucket, with the standard library alone; the bytes stream.

What goes wrong is told apart, because each has its own answer:

    BucketError
    ├── UnreachableError   no connection could be made: maybe this machine cannot reach the bucket at all
    │   └── UntrustedError the server names a host that nobody on this side has named; see `addresses`
    ├── RefusedError       the address is not valid (any more): ask for another one
    ├── LostError          the bucket does not know the upload or the object
    └── TransientError     a cut, a timeout, an answer 5xx: the same again may succeed
"""

import base64
import hashlib
import http.client
import os
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self
from urllib.parse import SplitResult, urlsplit

from stepwell.files import options
from stepwell.files.addresses import is_trusted
from stepwell.files.hashing import update
from stepwell.wire import tls

PIECE_BYTES = 1 << 20
CHECKSUM_HEADER = "x-amz-checksum-sha256"
ANSWER_BYTES_MAX = 64 * 1024  # of an error's text
# A bucket that has taken all of a part may be silent for so many times the patience before it answers. Some write
# parts in their order and answer one when others are done, too: what is sent again then, they have twice.
ANSWER_PATIENCE = 10
# When a connection is silent, the kernel asks the other side so often within the patience; one that is lost ends.
PROBES = 3

_CODE = re.compile(rb"<Code>(.*?)</Code>")


class BucketError(Exception):
    """A request at a presigned address failed."""


class UnreachableError(BucketError):
    """No connection could be made."""


class UntrustedError(UnreachableError):
    """A server names a host that nobody on this side has named."""


class RefusedError(BucketError):
    """The bucket refuses the address: it has expired, or was signed for something else."""


class LostError(BucketError):
    """The bucket does not know the upload or the object."""


class TransientError(BucketError):
    """The same request may succeed the next time."""


class Session:
    """Connections to buckets' servers, kept from one request to the next; for any thread. Closed with the context.

    Redirections are not followed.
    """

    def __init__(self, tracking_uri: str) -> None:
        self._tracking_uri = tracking_uri
        self._idle: dict[str, list[http.client.HTTPConnection]] = {}
        self._trusted: dict[tuple[str, str], bool] = {}
        self._lock = threading.Lock()
        self._context: ssl.SSLContext | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for connections in self._idle.values():
            for connection in connections:
                connection.close()

    def may_use(self, url: str) -> bool:
        """Tell whether an address that the server has named may be used; hosts are judged once, see `addresses`."""
        parts = urlsplit(url)
        place = (parts.scheme, parts.netloc)
        if place not in self._trusted:
            self._trusted[place] = is_trusted(url, self._tracking_uri)
        return self._trusted[place]

    def put(
        self,
        url: str,
        descriptor: int,
        offset: int,
        count: int,
        sent: Callable[[int], None],
        sha256: bytes = b"",
    ) -> str:
        """Send a range of an open file and return the bucket's tag for it.

        The bucket checks the SHA-256, if the address was signed for one, and else the MD5.

        Raises:
            BucketError: see above. `sent` was told of what had travelled; the caller takes it back.
        """
        headers = {"Content-Length": str(count)}
        if sha256:
            headers[CHECKSUM_HEADER] = base64.b64encode(sha256).decode()
        else:
            headers["Content-MD5"] = base64.b64encode(_md5(descriptor, offset, count).digest()).decode()
        with self._request("PUT", url, headers, _send(descriptor, offset, count, sent)) as answer:
            tag = answer.headers.get("ETag", "").strip('"')
            answer.read(ANSWER_BYTES_MAX)
        return tag

    def get(
        self, url: str, descriptor: int, offset: int, count: int, received: Callable[[int], None]
    ) -> None:
        """Fetch a range and write it to the same place of an open file.

        Raises:
            BucketError: see above; also when the answer is shorter than what was asked for.
        """
        if count == 0:
            return
        headers = {"Range": f"bytes={offset}-{offset + count - 1}"}
        with self._request("GET", url, headers, None) as answer:
            end = offset + count
            while offset < end:
                piece = answer.read(min(PIECE_BYTES, end - offset))
                if not piece:
                    raise TransientError(f"the bucket's answer ended {end - offset} bytes too early")
                os.pwrite(descriptor, piece, offset)
                offset += len(piece)
                received(len(piece))

    @contextmanager
    def _request(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        send_body: Callable[[http.client.HTTPConnection], None] | None,
    ) -> Iterator[http.client.HTTPResponse]:
        """Make a request and yield the answer, which is a good one; the connection is kept if all goes well."""
        parts = urlsplit(url)
        if not self.may_use(url):
            raise UntrustedError(untrusted(parts.netloc))
        connection = self._take(parts) or self._connect(parts)
        try:
            connection.putrequest(method, f"{parts.path}?{parts.query}")
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders()
            if send_body is not None:
                # Who refuses may answer and close before all is sent; the answer says why.
                with suppress(BrokenPipeError, ConnectionResetError):
                    send_body(connection)
                    connection.sock.settimeout(options.timeout_s() * ANSWER_PATIENCE)
            with connection.getresponse() as answer:
                if answer.status >= 300:
                    raise _refusal(answer)
                yield answer
            if (
                connection.sock is not None
            ):  # else the bucket closes it, and the next request makes another one
                connection.sock.settimeout(options.timeout_s())
        except BaseException as error:
            connection.close()
            if isinstance(error, (OSError, http.client.HTTPException)):
                raise TransientError(f"{parts.netloc}: {error or type(error).__name__}") from error
            raise
        with self._lock:
            self._idle.setdefault(parts.netloc, []).append(connection)

    def _take(self, parts: SplitResult) -> http.client.HTTPConnection | None:
        with self._lock:
            idle = self._idle.get(parts.netloc)
            return idle.pop() if idle else None

    def _tls(self) -> ssl.SSLContext:
        with self._lock:
            if self._context is None:
                self._context = tls.context_for_others()
            return self._context

    def _connect(self, parts: SplitResult) -> http.client.HTTPConnection:
        timeout_s = options.timeout_s()
        connection = http.client.HTTPConnection(parts.netloc, timeout=timeout_s, blocksize=PIECE_BYTES)
        if parts.scheme == "https":
            connection = http.client.HTTPSConnection(
                parts.netloc, timeout=timeout_s, blocksize=PIECE_BYTES, context=self._tls()
            )
        try:
            connection.connect()
        except OSError as error:
            raise UnreachableError(
                f"no connection to {parts.netloc}: {error or type(error).__name__}"
            ) from error
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _let_kernel_watch(connection.sock, timeout_s)
        return connection


def _let_kernel_watch(connection: socket.socket, timeout_s: float) -> None:
    """Let a connection end whose other side has not even acknowledged anything for so long, where that can be said."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    probe_s = max(1, round(timeout_s / (PROBES + 1)))
    limits = {
        "TCP_USER_TIMEOUT": max(1, round(timeout_s * 1_000)),
        "TCP_KEEPIDLE": probe_s,
        "TCP_KEEPINTVL": probe_s,
        "TCP_KEEPCNT": PROBES,
    }
    for name, limit in limits.items():
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), limit)


def _send(
    descriptor: int, offset: int, count: int, sent: Callable[[int], None]
) -> Callable[[http.client.HTTPConnection], None]:
    def send(connection: http.client.HTTPConnection) -> None:
        at, end = offset, offset + count
        while at < end:
            piece = os.pread(descriptor, min(PIECE_BYTES, end - at), at)
            if not piece:
                raise TransientError("the file became shorter while it was sent")
            connection.send(piece)
            at += len(piece)
            sent(len(piece))

    return send


def untrusted(host: str) -> str:
    """Return what is said of a host that nobody on this side has named."""
    return (
        f"the server names {host}, which nothing on this side names as a place for artifacts; if it is your bucket, "
        f"say STEPWELL_ARTIFACT_HOSTS={host}"
    )


def has_tag(tag: str, descriptor: int, offset: int, count: int) -> bool:
    """Tell whether a range of an open file has a bucket's tag: its MD5 or SHA-256 in hexadecimal digits."""
    if len(tag) != 2 * hashlib.sha256().digest_size:
        return _md5(descriptor, offset, count).hexdigest() == tag
    digest = hashlib.sha256()
    update(digest, descriptor, offset, count)
    return digest.hexdigest() == tag


def _md5(descriptor: int, offset: int, count: int) -> "hashlib._Hash":
    digest = hashlib.md5(usedforsecurity=False)
    update(digest, descriptor, offset, count)
    return digest


def _refusal(answer: http.client.HTTPResponse) -> BucketError:
    text = answer.read(ANSWER_BYTES_MAX)
    found = _CODE.search(text)
    code = found[1].decode(errors="replace") if found else answer.reason
    message = f"the bucket answered {answer.status} {code}"
    if answer.status == 404:
        return LostError(message)
    if answer.status in (401, 403) or code in ("AccessDenied", "ExpiredToken", "RequestTimeTooSkewed"):
        return RefusedError(message)
    return TransientError(message)
