"""A folder of artifacts as one ZIP archive, made while it is sent: nothing is stored, nothing is compressed."""

import zipfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from uuid import UUID

from stepwell_server.model.artifacts import Listed, Piece
from stepwell_server.services.content.artifacts import ArtifactService

# Archives have no earlier time than 1980-01-01, where a clock may have been that was lost; in milliseconds.
FIRST_TIME_MS = 315_532_800_000


class _Gathered:
    """The file that `zipfile` writes to: what it wrote is taken away after each step."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def write(self, data: Piece) -> int:
        self._written.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        """Nothing is open here."""

    def take(self) -> bytes:
        """Return what was written since the last time."""
        written, self._written = b"".join(self._written), []
        return written


async def listed_below(artifacts: ArtifactService, run_id: UUID, folder: str) -> AsyncGenerator[Listed]:
    """Yield all files below a folder; one page is in memory at a time."""
    token = ""
    while True:
        page, token = await artifacts.list(run_id, folder, 0, token, recursive=True)
        for listed in page:
            yield listed
        if not token:
            return


async def zipped(
    artifacts: ArtifactService, run_id: UUID, folder: str, files: AsyncIterator[Listed]
) -> AsyncGenerator[Piece]:
    """Yield an archive of files below a folder; names in it are relative to the folder."""
    target = _Gathered()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        async for file in files:
            entry = _entry(file, folder)
            with archive.open(entry, "w") as member:
                read = artifacts.read(run_id, file.path, 0, file.sha256)
                async with aclosing(read) as pieces:  # type: ignore[type-var]  # it is a generator
                    async for piece in pieces:
                        member.write(piece)
                        yield target.take()
    yield target.take()


def _entry(file: Listed, folder: str) -> zipfile.ZipInfo:
    time = datetime.fromtimestamp(max(file.logged_time_ms, FIRST_TIME_MS) / 1_000, UTC)
    name = file.path.removeprefix(f"{folder}/") if folder else file.path
    entry = zipfile.ZipInfo(name, time.timetuple()[:6])
    entry.file_size = file.size_bytes  # above 2 GiB the archive needs longer fields, and says so before
    entry.external_attr = 0o644 << 16
    return entry
