"""Names that tests make up: a small DNS server for gRPC's resolver, and the same names for Python's own.

Run in the process that shall know them: `python -c "..."` or a program that calls `know`.
"""

import socket
import socketserver
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

_HEAD = struct.Struct(">6H")
# A name by a reference to the question's, type A, class IN, for no longer than now, four bytes.
_ANSWER = struct.Struct(">3HIH4s")
_A = 1


@contextmanager
def serving_names(addresses: Sequence[str]) -> Iterator[int]:
    """Answer every question with these IPv4 addresses, in this order; yields the port."""

    class Answer(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            question, answering = self.request
            self.server.asked.add(_name(question))  # type: ignore[attr-defined]
            answering.sendto(_answer(question, addresses), self.client_address)

    with socketserver.ThreadingUDPServer(("127.0.0.1", 0), Answer) as server:
        server.asked = set()  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
            assert server.asked, "nobody asked for a name"  # type: ignore[attr-defined]
        finally:
            server.shutdown()


def _name(question: bytes) -> bytes:
    return question[_HEAD.size : question.index(0, _HEAD.size)]


def _answer(question: bytes, addresses: Sequence[str]) -> bytes:
    number, _, _, _, _, _ = _HEAD.unpack_from(question)
    end = question.index(0, _HEAD.size) + 5
    kind = int.from_bytes(question[end - 4 : end - 2])
    found = addresses if kind == _A else ()
    answers = [_ANSWER.pack(0xC00C, _A, 1, 0, 4, socket.inet_aton(it)) for it in found]
    return _HEAD.pack(number, 0x8580, 1, len(answers), 0, 0) + question[_HEAD.size : end] + b"".join(answers)


def know(name: str, addresses: Sequence[str], dns_port: int) -> None:
    """Let this process's gRPC ask that DNS server, and its sockets know the name."""
    import grpc.aio

    resolve, open_channel = socket.getaddrinfo, grpc.aio.insecure_channel

    def getaddrinfo(host: Any, *arguments: Any, **named: Any) -> list[Any]:
        hosts = addresses if host == name else [host]
        return [found for each in hosts for found in resolve(each, *arguments, **named)]

    def insecure_channel(target: str, *arguments: Any, **named: Any) -> grpc.aio.Channel:
        asked = f"dns://127.0.0.1:{dns_port}/{target}" if target.startswith(name) else target
        return open_channel(asked, *arguments, **named)

    socket.getaddrinfo = getaddrinfo
    grpc.aio.insecure_channel = insecure_channel
