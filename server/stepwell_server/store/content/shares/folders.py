"""Which folder of this machine the root of a folder means, and that it is the one that it ought to be."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from stepwell_server.errors import StepwellError, UnavailableError
from stepwell_server.process.logger import get_logger
from stepwell_server.store.content.forms import DATA_ROOT
from stepwell_server.store.content.shares.marks import MARK_FILE, FolderMarks
from stepwell_server.store.content.shares.mounts import doubts, lock_problem, mount_of

log = get_logger(__name__)


class Folders:
    """The folders of one server.

    Args:
        data: the server's data folder.
        marks: what the database knows of folders; None where nothing is compared.
    """

    def __init__(self, data: Path, marks: FolderMarks | None) -> None:
        self._data = data
        self._marks = marks
        # Roots of this machine, each with the one by which the database knows the same folder.
        self._known: dict[str, str] = {}

    async def join(self, default: str, roots: Sequence[str]) -> None:
        """Look at the folders that the server was started with.

        Raises:
            UnavailableError: that of `default` is not the one that other servers use, or cannot be used. What is wrong
                with others, or with the one in the data folder, is told in the log.
        """
        for root in roots:
            try:
                await self._join(root)
            except StepwellError as error:
                if root == DATA_ROOT:
                    log.warning(
                        "servers that share a database have to share artifacts, too", reason=str(error)
                    )
                elif root == default:
                    raise
                else:
                    log.error("an artifact folder cannot be used", root=root, reason=str(error))

    async def _join(self, root: str) -> None:
        if self._marks is None:
            return
        if root == DATA_ROOT:
            await self._marks.root_of(root, self._data / "artifacts")
            return
        folder = path_of(root)
        known = await self._marks.root_of(root, folder)
        if known in self._known.values():
            raise UnavailableError(
                f"{folder} is a copy of {known}, with the same {MARK_FILE} in it; remove the file"
            )
        self._known[root] = known
        mount = mount_of(folder)
        problem = await asyncio.to_thread(lock_problem, folder)
        if problem:
            raise UnavailableError(problem)
        if doubt := doubts(mount):
            log.warning(
                "several servers cannot share this artifact folder safely", folder=str(folder), reason=doubt
            )
        elif mount is not None and mount.is_shared:
            log.info("artifacts are in a shared folder", folder=str(folder), kind=mount.kind, of=mount.source)

    def known_root(self, root: str) -> str:
        """Return the root by which the database knows a folder of this machine."""
        for here, known in self._known.items():
            if root == here or root.startswith(f"{here}/"):
                return known + root[len(here) :]
        return root

    async def folder_of(self, root: str) -> tuple[Path, Path | None]:
        """Return the folder of a root that the database knows, and the file that is there as long as it is mounted.

        Raises:
            UnavailableError: it is not the folder that the servers of this database use.
        """
        if root == DATA_ROOT:
            return self._data / "artifacts", None
        if self._marks is None:
            return path_of(root), None
        for around, known in self._known.items():
            if root == known or root.startswith(f"{known}/"):
                await self._marks.root_of(known, path_of(around))
                return path_of(around + root[len(known) :]), path_of(around) / MARK_FILE
        await self._marks.root_of(root, path_of(root), makes=False)
        return path_of(root), path_of(root) / MARK_FILE


def path_of(root: str) -> Path:
    """Return the path in the root of a folder."""
    return Path(unquote(urlsplit(root).path))
