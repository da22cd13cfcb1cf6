"""HTTP by hand, so that tests can send what no client would."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

ANSWER_S = 30.0


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Place:
    """A server on a port of this machine."""

    port: int
    stop: Callable[[], Awaitable[None]]

    peers: list["Peer"] = field(default_factory=list)

    async def connect(self) -> "Peer":
        """Open a connection; `close` ends all."""
        self.peers.append(Peer(*await asyncio.open_connection("127.0.0.1", self.port)))
        return self.peers[-1]

    def close(self) -> None:
        for peer in self.peers:
            peer.close()

    async def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        """Send one request over a connection of its own."""
        peer = await self.connect()
        try:
            await peer.send(head(method, path, body, **headers) + body)
            return await peer.answer(method)
        finally:
            peer.close()


@dataclass
class Peer:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, method: str = "") -> Answer:
        """Read one answer; that to a HEAD has no body."""
        async with asyncio.timeout(ANSWER_S):
            lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
            status = int(lines[0].split()[1])
            if status == 100:
                return await self.answer(method)
            is_empty = method == "HEAD" or status in {204, 304}
            return Answer(status, headers, b"" if is_empty else await self._body(headers))

    async def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") != "chunked":
            return await self.reader.readexactly(int(headers.get("content-length", 0)))
        pieces = []
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            pieces.append(await self.reader.readexactly(size))
            await self.reader.readline()
        await self.reader.readline()
        return b"".join(pieces)

    async def is_closed(self) -> bool:
        """Wait until the other side hangs up."""
        try:
            async with asyncio.timeout(ANSWER_S):
                return not await self.reader.read()
        except ConnectionError:
            return True

    def close(self) -> None:
        self.writer.transport.abort()


def head(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """Return the first lines of a request; `host` and `content-length` are added unless they are given."""
    sent = {"host": "localhost", "content-length": str(len(body)), **headers}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in sent.items()]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode()
