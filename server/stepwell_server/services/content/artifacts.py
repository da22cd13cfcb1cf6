"""Reading and removing artifacts; the rules of uploads are in `uploads`."""

import base64
import binascii
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from uuid import UUID

from stepwell_server.errors import InvalidArgumentError, InvalidStateError
from stepwell_server.model.artifacts import (
    ADDRESSED_PAGE_SIZE_MAX,
    DELETE_STEP_FILES_MAX,
    LIST_PAGE_SIZE_DEFAULT,
    LIST_PAGE_SIZE_MAX,
    Listed,
    Piece,
    Place,
    StoredFile,
)
from stepwell_server.services.content.paths import check_folder, check_path
from stepwell_server.services.content.sweeper import ArtifactSweeper
from stepwell_server.store.ports.artifacts import ArtifactStore, ContentStores


class ArtifactService:
    """Lists, reads and removes artifacts. Raises what `artifact_ports` says, and InvalidArgumentError."""

    def __init__(self, store: ArtifactStore, contents: ContentStores, sweeper: ArtifactSweeper) -> None:
        self._store = store
        self._contents = contents
        self._sweeper = sweeper

    async def list(
        self,
        run_id: UUID,
        folder: str,
        page_size: int,
        page_token: str,
        *,
        recursive: bool,
        own_only: bool = False,
        direct: bool = False,
    ) -> tuple[Sequence[Listed], str]:
        """Return a page of a folder, or of all files below it, and the token of the next one, empty after the last.

        `own_only` leaves out what a run shows because a logged model has it. With `direct`, pages are no longer than
        `addresses` takes.
        """
        check_folder(folder)
        if not 0 <= page_size <= LIST_PAGE_SIZE_MAX:
            raise InvalidArgumentError(
                f"the page size is {page_size}; it has to be from 1 to {LIST_PAGE_SIZE_MAX:,}, or 0"
            )
        size = min(
            page_size or LIST_PAGE_SIZE_DEFAULT, ADDRESSED_PAGE_SIZE_MAX if direct else LIST_PAGE_SIZE_MAX
        )
        start = read_path_token(page_token)
        # One more than asked for tells whether, and where, there is another page.
        found = await self._store.list_folder(
            run_id, folder, start, size + 1, recursive=recursive, own_only=own_only
        )
        return found[:size], make_path_token(found[size]) if len(found) > size else ""

    async def addresses(self, page: Sequence[Listed]) -> Sequence[str]:
        """Return the address in the bucket for each line of a page; empty where it has none."""
        found = dict[Place, str]()
        places = [line.place for line in page if line.place]
        for root in {place.root for place in places}:
            bucket = (await self._contents.open(root)).direct
            here = [place for place in places if place.root == root]
            if bucket is not None:
                found |= zip(here, await bucket.get_urls([place.key for place in here]), strict=True)
        return [found.get(line.place, "") if line.place else "" for line in page]

    async def get(self, run_id: UUID, path: str, *, direct: bool) -> tuple[StoredFile, str]:
        """Return an artifact and its address in the bucket; empty when it has none, or `direct` is not wished."""
        check_path(path)
        file = await self._store.get(run_id, path)
        bucket = (await self._contents.open(file.place.root)).direct if direct else None
        (url,) = await bucket.get_urls([file.place.key]) if bucket else [""]
        return file, url

    async def read(self, run_id: UUID, path: str, offset: int, sha256: bytes) -> AsyncIterator[Piece]:
        """Yield an artifact's bytes from an offset on; `sha256` is the one it must have, or empty.

        Raises:
            InvalidStateError: it has another SHA-256 by now.
        """
        check_path(path)
        file = await self._store.get(run_id, path)
        if sha256 and sha256 != file.sha256:
            raise InvalidStateError(
                f"artifact {path!r} was replaced meanwhile; read it again from its beginning"
            )
        if not 0 <= offset <= file.size_bytes:
            raise InvalidArgumentError(
                f"the offset {offset} is not in artifact {path!r}, which has {file.size_bytes} bytes"
            )
        content = await self._contents.open(file.place.root)
        async with aclosing(content.read(file.place.key, offset)) as pieces:  # type: ignore[type-var]
            async for piece in pieces:
                yield piece

    async def delete(self, run_id: UUID, path: str) -> tuple[int, bool]:
        """Remove up to 1,000 of what is at or below a path, bytes included; tells how many, and whether to go on."""
        check_folder(path)
        count, garbage = await self._store.hide(run_id, path, DELETE_STEP_FILES_MAX)
        await self._sweeper.remove(garbage)
        return count, count == DELETE_STEP_FILES_MAX


def make_path_token(first: Listed) -> str:
    """Return the token for the page that begins with a line."""
    # A folder stands where the paths below it stand.
    path = f"{first.path}/" if first.is_folder else first.path
    return base64.urlsafe_b64encode(path.encode()).decode()


def read_path_token(token: str) -> str:
    """Return the path at which a page begins; empty for the first page.

    Raises:
        InvalidArgumentError: the token is not one that a listing gave.
    """
    try:
        path = base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        path = "\0"
    if "\0" in path:
        raise InvalidArgumentError(
            "the page token is not one that this listing gave; pass the token of the page before, unchanged"
        )
    return path
