"""Where content can be: one store for each root; `forms.py` has their forms.

Rows name the root of their content, so a change of `--artifacts` leaves older artifacts where they are, and readable.
"""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self
from uuid import UUID

from stepwell_server.config import ARTIFACT_ADDRESS_S_DEFAULT
from stepwell_server.errors import InvalidArgumentError, StartupError, UnavailableError
from stepwell_server.model.logged_models import find_model_id
from stepwell_server.store.content.folder import FolderContentStore
from stepwell_server.store.content.kinds import kind_of
from stepwell_server.store.content.locations import Locations
from stepwell_server.store.content.shares.folders import Folders
from stepwell_server.store.content.shares.marks import FolderMarks
from stepwell_server.store.ports.artifacts import ContentStore


class OpenContentStores:
    """Implements `artifact_ports.ContentStores`. Stores are opened when they are first needed.

    Args:
        data: the server's data folder.
        locations: which places there are.
        address_lifetime_s: how long a presigned address is valid.
        disk_reserve_bytes: what is left free on the disks of folders.
        marks: what the database knows of folders; without, none is compared.
    """

    def __init__(
        self,
        data: Path,
        locations: Locations,
        address_lifetime_s: int = int(ARTIFACT_ADDRESS_S_DEFAULT),
        disk_reserve_bytes: int = 0,
        marks: FolderMarks | None = None,
    ) -> None:
        self._disk_reserve_bytes = disk_reserve_bytes
        self._folders = Folders(data, marks)
        self._locations = locations
        self._address_lifetime_s = address_lifetime_s
        self._stores: dict[str, ContentStore] = {}
        # One a root: who waits for a cloud that is slow keeps nobody from others.
        self._locks: dict[str, asyncio.Lock] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._folders.join(self._locations.default, self._locations.folder_roots)
            await self.open(self.destination(""))
        except (InvalidArgumentError, UnavailableError) as error:
            raise StartupError(str(error)) from error
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    def root_of(self, artifact_uri: str) -> str:
        """See `artifact_ports.ContentStores`."""
        return self._folders.known_root(self._locations.root_of(without_run(artifact_uri)))

    def destination(self, place: str) -> str:
        """See `artifact_ports.ContentStores`."""
        return self._folders.known_root(self._locations.destination(place))

    async def open(self, root: str) -> ContentStore:
        """See `artifact_ports.ContentStores`."""
        if root not in self._stores:
            async with self._locks.setdefault(root, asyncio.Lock()):
                if root not in self._stores:
                    self._stores[root] = await self._open(root)
        return self._stores[root]

    async def _open(self, root: str) -> ContentStore:
        kind = kind_of(root)
        if kind is not None:
            return await self._stack.enter_async_context(kind.opened(root, self._address_lifetime_s))
        folder, mark = await self._folders.folder_of(root)
        store = FolderContentStore(folder, self._disk_reserve_bytes, mark)
        self._stack.callback(store.close)
        return store


def without_run(artifact_uri: str) -> str:
    """Return the location of the experiment from the URI of its run or model, without /<run id>/artifacts."""
    location, _, owner = artifact_uri.removesuffix("/artifacts").rpartition("/")
    if find_model_id(owner):  # /models/m-<id>/artifacts; see store/models/logged_models.py
        return location.removesuffix("/models")
    UUID(hex=owner)  # a run's URI always ends so; see store/tracking/runs.py
    return location
