"""Content on an SFTP server.

    <path>/content/<key>                whole files, never changed
    <path>/unfinished/<key>~<writer>    what is on its way; `/` in the key is `-` here

A file is written under `unfinished`, flushed where the server can do that (fsync@openssh.com), and then moved in one
step (posix-rename@openssh.com). SFTP has no locks, so what is on its way has the name of the server that writes it;
another one goes on in a copy.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from functools import partial
from uuid import uuid4

import asyncssh

from stepwell_server.errors import InvalidArgumentError, NotFoundError, UnavailableError
from stepwell_server.model.artifacts import FileSpec, Piece, Room
from stepwell_server.process.joined import OneForAll, all_of
from stepwell_server.process.logger import get_logger
from stepwell_server.store.content.disk import CONTENT, UNFINISHED
from stepwell_server.store.content.one_writer import OneWriter
from stepwell_server.store.content.sftp import files
from stepwell_server.store.content.sftp.addresses import parse
from stepwell_server.store.content.sftp.connections import MISSING, SftpConnections
from stepwell_server.store.content.sftp.transfers import (
    PIECE_BYTES,
    WINDOW_BYTES,
    IncompleteError,
    Sending,
    read_pieces,
)

READ_WRITE = asyncssh.FXF_READ | asyncssh.FXF_WRITE | asyncssh.FXF_CREAT
NEW = asyncssh.FXF_WRITE | asyncssh.FXF_CREAT | asyncssh.FXF_TRUNC

log = get_logger(__name__)


@asynccontextmanager
async def opened(root: str, address_lifetime_s: int) -> AsyncIterator["SftpContentStore"]:
    """Open the store of a root, for as long as the context lasts. Nobody gets addresses of its content.

    Raises:
        InvalidArgumentError: the server is not the one that known_hosts says, or does not let us in.
    """
    connections = SftpConnections(parse(root))
    try:
        store = SftpContentStore(connections)
        try:
            await store.prepare()
        except UnavailableError as away:  # it may be back before anybody needs it
            log.warning("the SFTP server of artifacts cannot be used now", root=root, reason=str(away))
        yield store
    finally:
        await connections.close()


class SftpContentStore:
    """Implements `artifact_ports.ContentStore`."""

    direct = None
    piece_bytes = PIECE_BYTES

    def __init__(self, connections: SftpConnections) -> None:
        self._connections = connections
        self._path = connections.address.path
        self._unfinished = f"{self._path}/{UNFINISHED}"
        self._writer = uuid4().hex[:16]
        self._writers = OneWriter()
        self._listings = OneForAll(lambda: connections.call(self._listed))
        self._flushes = self._moves = True

    async def prepare(self) -> None:
        """Make the folders. Raises what `SftpConnections.session` does."""
        async with self._connections.session() as sftp:
            for folder in (f"{self._path}/{CONTENT}", self._unfinished):
                await files.make_folder(sftp, folder)

    async def room(self) -> Room | None:
        """See `artifact_ports.ContentStore`."""

        async def ask(sftp: asyncssh.SFTPClient) -> Room | None:
            try:
                disk = await sftp.statvfs(self._path)
            except (asyncssh.SFTPOpUnsupported, *MISSING):
                return None
            held = sum([size for _, size in await self._listed(sftp)])
            return Room(disk.bavail * disk.frsize, held)

        return await self._connections.call(ask)

    async def held_bytes(self, key: str, file: FileSpec) -> int:
        """See `artifact_ports.ContentStore`."""
        size = await self.size_bytes(key)
        if size is not None:
            return size
        return (await self._connections.call(lambda sftp: self._held(sftp, key)))[1]

    async def write(self, key: str, offset: int, pieces: AsyncIterator[Piece], file: FileSpec) -> None:
        """See `artifact_ports.ContentStore`."""
        if await self.size_bytes(key) is not None:
            return  # a repeat, after an answer that was lost
        async with self._writers.of(key), self._connections.session() as sftp:
            held = ("", 0)
            if offset:
                held = await self._held(sftp, key)
                if not 0 < offset <= held[1]:
                    raise InvalidArgumentError(
                        f"the upload holds {held[1]} bytes; it cannot go on at offset {offset}"
                    )
            try:
                await self._send(sftp, key, pieces, file, (held[0], offset))
            except IncompleteError:
                raise
            except InvalidArgumentError:
                await files.forget(sftp, self._temporary(key))
                raise

    async def receive(
        self, key: str, pieces: AsyncIterator[Piece], size_bytes: int | None
    ) -> tuple[int, bytes]:
        """See `artifact_ports.ContentStore`."""
        async with self._connections.session() as sftp:
            try:
                return await self._send(sftp, key, pieces, None, ("", 0))
            except BaseException:
                with suppress(asyncssh.Error, OSError):  # what is left is removed with the upload's row
                    await files.forget(sftp, self._temporary(key))
                raise

    async def write_small(self, files: Sequence[tuple[str, bytes]]) -> None:
        """See `artifact_ports.ContentStore`."""
        await all_of([self._write_one(key, data) for key, data in files])

    async def verify(self, key: str, file: FileSpec) -> str:
        """See `artifact_ports.ContentStore`."""
        digest, count = hashlib.sha256(), 0
        try:
            async with aclosing(self.read(key, 0)) as pieces:
                async for piece in pieces:
                    count += len(piece)
                    await asyncio.to_thread(digest.update, piece)
        except NotFoundError:
            return "nothing is there"
        if count != file.size_bytes:
            return f"{count} bytes are there instead of {file.size_bytes}"
        return (
            "" if digest.digest() == file.sha256 else f"the bytes there have the SHA-256 {digest.hexdigest()}"
        )

    async def size_bytes(self, key: str) -> int | None:
        """See `artifact_ports.ContentStore`."""
        return await self._connections.call(lambda sftp: files.size_of(sftp, self._final(key)))

    async def read(self, key: str, offset: int) -> AsyncGenerator[Piece]:
        """See `artifact_ports.ContentStore`."""
        async with (
            self._connections.session() as sftp,
            sftp.open(self._final(key), "rb") as file,
            aclosing(read_pieces(file, offset, (await file.stat()).size or 0)) as pieces,
        ):
            async for piece in pieces:
                yield piece

    async def remove(self, key: str, multipart_id: str | None) -> None:
        """See `artifact_ports.ContentStore`."""
        # Outside of a session: who waits for a listing must not keep it from one.
        unfinished = [path for path, _ in self._of(key, await self._listings.next())]
        for path in (self._final(key), *unfinished):
            await self._connections.call(partial(files.forget, path=path))

    async def _send(
        self,
        sftp: asyncssh.SFTPClient,
        key: str,
        pieces: AsyncIterator[Piece],
        file: FileSpec | None,
        held: tuple[str, int],
    ) -> tuple[int, bytes]:
        """Write a file behind the first bytes of one that is unfinished, and move it to its place."""
        former, offset = held
        mine = self._temporary(key)
        flags = READ_WRITE if former == mine else READ_WRITE | asyncssh.FXF_TRUNC
        target = await files.opened(sftp, mine, flags)
        sending = Sending(target, file)
        try:
            if former == mine:
                async with aclosing(read_pieces(target, 0, offset)) as there:
                    await sending.pass_over(there)
                await target.truncate(offset)
            elif former:
                async with (
                    sftp.open(former, "rb") as source,
                    aclosing(read_pieces(source, 0, offset)) as there,
                ):
                    await sending.add_all(there)
            if sending.sent[0] != offset:
                raise UnavailableError("what is held of the upload has changed; begin the call again")
            await sending.add_all(pieces)
            await sending.finish()
            await self._flush(target)
        finally:
            await sending.end()
            with suppress(asyncssh.Error, OSError):  # the connection may be gone
                await target.close()
        await self._move(sftp, mine, key)
        if former != mine and former:
            for path, _ in self._of(key, await self._listed(sftp)):
                await files.forget(sftp, path)
        return sending.sent

    async def _write_one(self, key: str, data: bytes) -> None:
        async with self._connections.session() as sftp:
            if len(data) > sftp.limits.max_write_len:
                await self._send(sftp, key, _only(data), None, ("", 0))
                return
            mine = self._temporary(key)
            target = await files.opened(sftp, mine, NEW, block_size=0)  # 0: written by one request
            # A server does what it is asked of one open file in the order in which it was asked
            # (draft-ietf-secsh-filexfer-02, 6.1), so nobody waits in between.
            await all_of([target.write(data, 0), self._flush(target), target.close()])
            await self._move(sftp, mine, key)

    async def _flush(self, target: "asyncssh.SFTPClientFile") -> None:
        if not self._flushes:
            return
        try:
            await target.fsync()
        except asyncssh.SFTPOpUnsupported:
            self._flushes = False
            log.warning(
                "the SFTP server cannot flush files (fsync@openssh.com): a power cut there may lose what it just took",
                host=self._connections.address.host,
            )

    async def _move(self, sftp: asyncssh.SFTPClient, mine: str, key: str) -> None:
        final = self._final(key)
        try:
            await self._rename(sftp, mine, final)
        except MISSING:
            await files.make_folder(sftp, final.rpartition("/")[0])
            await self._rename(sftp, mine, final)

    async def _rename(self, sftp: asyncssh.SFTPClient, mine: str, final: str) -> None:
        try:
            if self._moves:
                await sftp.posix_rename(mine, final)
                return
        except asyncssh.SFTPOpUnsupported:
            self._moves = False
        # Fails where there is one already, which there is not: keys are used once.
        await sftp.rename(mine, final)

    async def _held(self, sftp: asyncssh.SFTPClient, key: str) -> tuple[str, int]:
        """Return what of a key is unfinished and certainly there: this server's own, or else most; ("", 0): nothing."""
        mine = self._temporary(key)
        size = await files.size_of(sftp, mine)
        if size is not None:
            return mine, max(0, size - WINDOW_BYTES)
        found = self._of(key, await self._listed(sftp))
        return max(
            [(path, max(0, size - WINDOW_BYTES)) for path, size in found],
            key=lambda it: it[1],
            default=("", 0),
        )

    def _of(self, key: str, listing: Sequence[tuple[str, int]]) -> Sequence[tuple[str, int]]:
        """Return which of what is unfinished is of a key, whoever writes it."""
        prefix = self._temporary(key, "")
        return [it for it in listing if it[0].startswith(prefix)]

    async def _listed(self, sftp: asyncssh.SFTPClient) -> Sequence[tuple[str, int]]:
        """Return what is unfinished: paths and sizes."""
        return await files.listed(sftp, self._unfinished)

    def _final(self, key: str) -> str:
        return f"{self._path}/{CONTENT}/{key}"

    def _temporary(self, key: str, writer: str | None = None) -> str:
        name = key.replace("/", "-")
        return f"{self._unfinished}/{name}~{self._writer if writer is None else writer}"


async def _only(data: bytes) -> AsyncIterator[Piece]:
    yield data
