"""Content that is known and not there any more: before anything relies on it, it is looked up."""

import asyncio
from collections.abc import Sequence

from stepwell_server.model.artifacts import FileSpec
from stepwell_server.process.logger import get_logger
from stepwell_server.store.ports.artifacts import ArtifactStore, ContentStores

# Questions to the folder or bucket that one request asks at once.
LOOKS_AT_ONCE = 16

log = get_logger(__name__)


async def doubt_lost(
    store: ArtifactStore, contents: ContentStores, root: str, files: Sequence[FileSpec]
) -> None:
    """Look whether the content that files share with others is there still, in its size; else new bytes replace it."""
    known = await store.known(root, files)
    if not known:
        return
    content = await contents.open(root)
    room = asyncio.Semaphore(LOOKS_AT_ONCE)

    async def is_lost(key: str, size_bytes: int) -> bool:
        async with room:
            return await content.size_bytes(key) != size_bytes

    found = await asyncio.gather(*(is_lost(it.key, it.size_bytes) for it in known))
    lost = [it for it, gone in zip(known, found, strict=True) if gone]
    if lost:
        await store.doubt([it.content_id for it in lost])
        for it in lost:
            log.error("content is lost, it is stored again", root=root, key=it.key)
