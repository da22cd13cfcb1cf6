"""Asks a server's HTTP address where its gRPC is.

By hand, in the loop of `background`: a library's blocking call would need a thread, which a fork may not meet and the
end of the interpreter would wait for, and 2 MB in every training process, for one small GET.
"""

import asyncio
import json
import socket
import ssl
import time
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urljoin, urlsplit

from stepwell.addresses import Address
from stepwell.settings import parse_uri
from stepwell.wire import tls

PATH = "/api/stepwell/v1/server"
# Far more than a server says, far less than what hurts.
ANSWER_BYTES_MAX = 64 * 1024
REDIRECTS_MAX = 3
AGAIN_S = 0.2
ATTEMPT_MIN_S = 0.5
# A name may have several addresses: the next one is tried when one has not answered for so long.
NEXT_ADDRESS_S = 0.2

_DEFAULT_PORTS = {"http": 80, "https": 443}


class NoDoorError(Exception):
    """Nobody says where gRPC is; the text is the end of a sentence.

    `hidden` tells that something stands between: gRPC may be where it was, although this way to ask is closed.
    `passing` tells that it may be otherwise in a moment.
    """

    def __init__(self, text: str, *, hidden: bool = False, passing: bool = False) -> None:
        super().__init__(text)
        self.hidden = hidden
        self.passing = passing


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: dict[str, str]
    body: bytes


async def ask(page: str, timeout_s: float) -> Address:
    """Return where the gRPC of the server at an http:// or https:// address is.

    Raises:
        NoDoorError: it does not answer in time, or it is no Stepwell server.
    """
    try:
        async with asyncio.timeout(timeout_s):
            answer = await _get(page + PATH)
            if answer.status == 400 and not page.startswith("https:"):
                await _require_plain(page)
    except TimeoutError:
        raise NoDoorError("nobody answers there; a firewall, perhaps", hidden=True, passing=True) from None
    except ssl.SSLCertVerificationError as error:
        raise NoDoorError(await tls.why_untrusted(error, parse_uri(page))) from None
    except ssl.SSLError as error:
        refused = tls.why_refused(error)
        raise NoDoorError(refused or "what listens there does not speak TLS; use http:// instead") from None
    except socket.gaierror:
        raise NoDoorError(f"the name {urlsplit(page).hostname!r} is not known", passing=True) from None
    except ConnectionRefusedError:
        raise NoDoorError("nothing listens there", passing=True) from None
    except (OSError, EOFError, ValueError) as error:
        raise await _no_http(page, error) from None
    return _address(page, answer)


async def ask_until(page: str, timeout_s: float) -> Address:
    """Ask again and again while it may get better, as when a server starts; raises as `ask` when the time is up."""
    end = time.monotonic() + timeout_s
    while True:
        try:
            return await ask(page, max(ATTEMPT_MIN_S, end - time.monotonic()))
        except NoDoorError as error:
            if not error.passing or time.monotonic() + AGAIN_S >= end:
                raise
        await asyncio.sleep(AGAIN_S)


def reachable(told: str, page: str) -> str:
    """Return HOST:PORT as it is to be used: what cannot be reached from here is where the HTTP address is."""
    host, _, port = told.rpartition(":")
    asked = urlsplit(page).hostname or ""
    if _is_wildcard(host) or (_is_loopback(host) and not _is_loopback(asked)):
        host = f"[{asked}]" if ":" in asked else asked
    return f"{host}:{port}"


def _address(page: str, answer: _Answer) -> Address:
    """Read what the server says; newer ones may say more."""
    try:
        said: dict[str, Any] = json.loads(answer.body)
        if answer.status != 200 and said["error_code"]:
            raise NoDoorError(f"it answered {answer.status}: {said['message']}", passing=answer.status >= 500)
        grpc: dict[str, Any] = said["grpc"]
        told, secure = str(grpc["address"]), bool(grpc["tls"])
        if not told.rpartition(":")[2].isdigit():
            raise ValueError
    except (ValueError, KeyError, TypeError):
        raise NoDoorError(
            f"what answers there is no Stepwell server (it answered {answer.status}); another program uses the "
            "port, such as MLflow's server, or a proxy answers in its place",
            hidden=True,
            passing=answer.status >= 500,
        ) from None
    return Address(reachable(told, page), secure)


async def _require_plain(page: str) -> None:
    """Raise NoDoorError where TLS is spoken: servers answer plain requests there with a refusal."""
    address = parse_uri(page)
    spoken = await tls.spoken(address)
    if spoken is not None:
        scheme = "grpcs" if spoken == tls.GRPC else "https"
        raise NoDoorError(f"what listens there speaks TLS; the address is {scheme}://{address.target}")


async def _no_http(page: str, error: Exception) -> NoDoorError:
    if isinstance(error, OSError) and not isinstance(error, ConnectionError):
        return NoDoorError(str(error.strerror or error), passing=True)
    address = parse_uri(page)
    if not address.secure:
        try:
            await _require_plain(page)
        except NoDoorError as speaks_tls:
            return speaks_tls
    refused = await tls.refusal(address, tls.HTTP) if address.secure else None
    if refused is not None:
        return NoDoorError(refused)
    scheme = "grpcs" if address.secure else "grpc"
    return NoDoorError(
        "what listens there does not answer in HTTP; if it is the server's gRPC port, the address is "
        f"{scheme}://{address.target}",
        passing=True,
    )


async def _get(url: str) -> _Answer:
    for _ in range(REDIRECTS_MAX + 1):
        answer = await _get_once(url)
        if answer.status not in (301, 302, 307, 308) or "location" not in answer.headers:
            return answer
        url = urljoin(url, answer.headers["location"])
    return answer


async def _get_once(url: str) -> _Answer:
    parts = urlsplit(url)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ValueError(url)
    secure = tls.context() if parts.scheme == "https" else None
    port = parts.port or _DEFAULT_PORTS[parts.scheme]
    reader, writer = await asyncio.open_connection(
        parts.hostname, port, ssl=secure, limit=ANSWER_BYTES_MAX, happy_eyeballs_delay=NEXT_ADDRESS_S
    )
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: application/json\r\n"
            "User-Agent: stepwell\r\nConnection: close\r\n\r\n".encode()
        )
        return await _read_answer(reader)
    finally:
        writer.transport.abort()


async def _read_answer(reader: asyncio.StreamReader) -> _Answer:
    """Read one answer, as RFC 9112 forms it.

    Raises:
        EOFError, ValueError: it is none.
    """
    try:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    except asyncio.LimitOverrunError:
        raise ValueError("no end of the headers") from None
    version, status, *_ = [*lines[0].split(" ", 2), ""]
    if not version.startswith("HTTP/1."):
        raise ValueError(version)
    pairs = (line.partition(":") for line in lines[1:])
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    if "chunked" in headers.get("transfer-encoding", "").lower():
        body = await _read_chunks(reader)
    elif "content-length" in headers:
        body = await reader.readexactly(min(int(headers["content-length"]), ANSWER_BYTES_MAX))
    else:
        body = await reader.read(ANSWER_BYTES_MAX)
    return _Answer(int(status), headers, body)


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while len(body) < ANSWER_BYTES_MAX:
        size = int((await reader.readline()).split(b";")[0], 16)
        if not size:
            break
        body += await reader.readexactly(min(size, ANSWER_BYTES_MAX))
        await reader.readline()
    return body


def _is_wildcard(host: str) -> bool:
    return host.strip("[]") in ("", "0.0.0.0", "::")  # noqa: S104 - only compared


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
