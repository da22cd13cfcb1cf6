"""Connections to a cloud: the standard library's HTTP in threads; a library that asyncio runs takes 8 MB more."""

import asyncio
import base64
import http.client
import re
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from stepwell_server.store.content.buckets.bucket import Part
from stepwell_server.store.content.buckets.sending import SENT_BYTES

CONNECTIONS_MAX = 32
CONNECT_TIMEOUT_S = 10
READ_TIMEOUT_S = 60
# Clouds close connections on which nothing happens, some after 20 s.
IDLE_S_MAX = 15.0
ANSWER_BYTES_MAX = 64 * 1024 * 1024  # a list of 50,000 blocks has some 10 MB
READ_BYTES = 64 * 1024
# Of a body that is taken; two of them stay in the processor's cache.
TAKEN_BYTES = 512 * 1024

# Takes pieces of a body, in a thread, one after the other; their memory is used again.
Take = Callable[[memoryview], None]
# Makes what hosts are believed by.
Trust = Callable[[], ssl.SSLContext]

# What a cloud calls an error, in XML or JSON.
_CODE = re.compile(r"<Code>(.*?)</Code>|\"message\":\s*\"(.*?)\"")


class AskingError(Exception):
    """There was no answer, or none that can be used."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a cloud answered; names of headers in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The cloud's word for what went wrong."""
        return code_in(self.body[:10_000].decode(errors="replace"))


class Connections:
    """Keeps connections from one request to the next; at most CONNECTIONS_MAX requests are under way."""

    def __init__(self, trust: Trust = ssl.create_default_context) -> None:
        self._trust = trust
        self._threads = ThreadPoolExecutor(CONNECTIONS_MAX, "cloud")
        self._idle: dict[tuple[str, str], list[tuple[float, http.client.HTTPConnection]]] = {}
        self._ways: dict[tuple[str, str], _Way] = {}
        self._lock = threading.Lock()

    async def ask(
        self, method: str, url: str, headers: Mapping[str, str], data: Part, take: Take | None = None
    ) -> Answer:
        """Make a request. Redirections are not followed. Who is cancelled ends it: nothing of it arrives later.

        `take` gets the body, whatever its size, instead of the answer. It begins where a range does that is asked for.

        Raises:
            AskingError: the connection failed, or the answer is none.
        """
        request = _Request(method, urlsplit(url), headers, data, take)
        asked = asyncio.get_running_loop().run_in_executor(self._threads, self._ask, request)
        try:
            return await asyncio.shield(asked)
        except asyncio.CancelledError:
            request.end()
            await asyncio.wait([asked])
            if not asked.cancelled():
                asked.exception()  # it was looked at
            raise

    def close(self) -> None:
        """Close what is idle; requests that are under way end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            for connections in self._idle.values():
                for _, connection in connections:
                    connection.close()
            self._idle.clear()

    def _ask(self, request: "_Request") -> Answer:
        place = (request.address.scheme, request.address.netloc)
        request.go_on()
        with self._lock:
            way = self._ways.get(place) or self._ways.setdefault(place, _way_to(request.address, self._trust))
        connection = self._take(place) or way.connection()
        try:
            answer, goes_on = request.over(connection, way)
        except (OSError, http.client.HTTPException, ValueError) as error:
            connection.close()
            raise AskingError(f"{request.address.netloc}: {error or type(error).__name__}") from error
        except BaseException:
            connection.close()
            raise
        if goes_on:
            with self._lock:
                self._idle.setdefault(place, []).append((time.monotonic(), connection))
        else:
            connection.close()
        return answer

    def _take(self, place: tuple[str, str]) -> http.client.HTTPConnection | None:
        """Return a connection that was used last and that the other side has not closed."""
        while True:
            with self._lock:
                idle = self._idle.get(place)
                if not idle:
                    return None
                since, connection = idle.pop()
            if not _is_readable(connection.sock) and time.monotonic() - since < IDLE_S_MAX:
                return connection
            connection.close()


def _is_readable(connected: socket.socket) -> bool:
    """Tell whether something came, or the end. `select` refuses numbers of files above 1,023, which servers have."""
    asked = select.poll()
    asked.register(connected, select.POLLIN)
    return bool(asked.poll(0))


class _Request:
    """A request in a thread, which the loop may end."""

    def __init__(
        self, method: str, address: SplitResult, headers: Mapping[str, str], data: Part, take: Take | None
    ) -> None:
        self.address = address
        self._method, self._headers, self._data, self._take = method, headers, data, take
        self._connection: http.client.HTTPConnection | None = None
        self._is_ended = False

    def end(self) -> None:
        """End it, wherever it is."""
        self._is_ended = True
        connection = self._connection
        if connection is not None and connection.sock is not None:
            with suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    def over(self, connection: http.client.HTTPConnection, way: "_Way") -> tuple[Answer, bool]:
        """Send it and return the answer, and whether the connection can be used again."""
        self._connection = connection
        try:
            return self._over(connection, way)
        finally:
            self._connection = None

    def _over(self, connection: http.client.HTTPConnection, way: "_Way") -> tuple[Answer, bool]:
        is_new = connection.sock is None
        if is_new:
            connection.connect()
            connection.sock.settimeout(READ_TIMEOUT_S)
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.go_on()
        connection.putrequest(self._method, way.target(self.address), skip_accept_encoding=True)
        for name, value in {**way.headers, **self._headers}.items():
            connection.putheader(name, value)
        if self._data or self._method in ("PUT", "POST"):
            connection.putheader("Content-Length", str(len(self._data)))
        connection.endheaders()
        is_sent = False
        # Who refuses may answer and close before all is sent; the answer says why.
        with suppress(BrokenPipeError, ConnectionResetError):
            self._send(connection)
            is_sent = True
        with connection.getresponse() as answer:
            body = b""
            if self._take is not None and answer.status < 300:
                if not self._begins(answer):
                    raise http.client.HTTPException("it does not answer with the range that it was asked for")
                _hand_over(answer, self._take)
            else:
                body = _whole(answer)
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, headers, body), is_sent and connection.sock is not None

    def _begins(self, answer: http.client.HTTPResponse) -> bool:
        """Tell whether it begins where it should; the status does not say so everywhere."""
        first = self._headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0]
        return answer.getheader("Content-Range", "bytes 0-").startswith(f"bytes {first}-")

    def _send(self, connection: http.client.HTTPConnection) -> None:
        with memoryview(self._data) as view:
            for start in range(0, len(view), SENT_BYTES):
                self.go_on()
                connection.send(view[start : start + SENT_BYTES])

    def go_on(self) -> None:
        """Raise what ends it, if it is to end."""
        if self._is_ended:
            raise AskingError("it was ended")


def _whole(answer: http.client.HTTPResponse) -> bytes:
    body = bytearray()
    while piece := answer.read(READ_BYTES):
        body += piece
        if len(body) > ANSWER_BYTES_MAX:
            raise http.client.HTTPException(f"an answer has more than {ANSWER_BYTES_MAX:,} bytes")
    return bytes(body)


def _hand_over(answer: http.client.HTTPResponse, take: Take) -> None:
    """Give away what comes; while one piece is taken, the next one arrives."""
    piece, other = memoryview(bytearray(TAKEN_BYTES)), memoryview(bytearray(TAKEN_BYTES))
    with ThreadPoolExecutor(1, "taking") as thread:
        taking = thread.submit(take, piece[:0])
        while count := answer.readinto(piece):
            taking.result()
            taking = thread.submit(take, piece[:count])
            piece, other = other, piece
        taking.result()
    if answer.length:
        raise http.client.HTTPException(f"the answer ended {answer.length:,} bytes too early")


@dataclass(frozen=True, slots=True)
class _Way:
    """How a host is reached: itself, or through the proxy that the environment names for it."""

    host: SplitResult
    proxy: SplitResult | None
    headers: Mapping[str, str]
    tls: ssl.SSLContext | None

    def connection(self) -> http.client.HTTPConnection:
        """Return a connection that is not made yet."""
        to = self.proxy or self.host
        name, port = to.hostname or "", to.port
        if self.tls is None:
            return http.client.HTTPConnection(name, port, timeout=CONNECT_TIMEOUT_S)
        made = http.client.HTTPSConnection(name, port, timeout=CONNECT_TIMEOUT_S, context=self.tls)
        if self.proxy is not None:
            made.set_tunnel(self.host.hostname or "", self.host.port or 443, _allowed(self.proxy))
        return made

    def target(self, address: SplitResult) -> str:
        """Return what the request names: all of the address to a proxy that reads it."""
        if self.proxy is not None and self.tls is None:
            return address.geturl()
        return f"{address.path or '/'}?{address.query}".rstrip("?")


def code_in(text: str) -> str:
    """Return a cloud's word for what went wrong, as it stands in an answer."""
    found = _CODE.search(text)
    return (found[1] or found[2]) if found else ""


def _way_to(address: SplitResult, trust: Trust) -> _Way:
    named = getproxies().get(address.scheme)
    tls = trust() if address.scheme == "https" else None
    if not named or proxy_bypass(address.hostname or ""):
        return _Way(address, None, {}, tls)
    proxy = urlsplit(named if "://" in named else f"http://{named}")
    if proxy.scheme != "http":
        raise ValueError(f"a proxy is reached by http://, not {proxy.scheme}://")
    return _Way(address, proxy, {} if tls else _allowed(proxy), tls)


def _allowed(proxy: SplitResult) -> dict[str, str]:
    if not proxy.username:
        return {}
    named = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(named.encode()).decode()}"}
