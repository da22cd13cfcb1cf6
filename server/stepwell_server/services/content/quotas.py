"""How much may be uploaded: what the disk has beyond its reserve, and what quotas leave."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from stepwell_server.errors import ExhaustedError
from stepwell_server.model.artifacts import Arrival, FileSpec
from stepwell_server.store.ports.artifacts import ArtifactStore, ContentStore


@dataclass(frozen=True, slots=True)
class Quotas:
    """In bytes, of the artifacts of one run, of one experiment and of all; 0 is no limit."""

    run_bytes: int = 0
    experiment_bytes: int = 0
    total_bytes: int = 0

    async def require_room(
        self, store: ArtifactStore, content: ContentStore, run_id: UUID, root: str, files: Sequence[FileSpec]
    ) -> None:
        """Refuse files for which there is no room, with all that is announced already.

        Raises:
            ExhaustedError: the message says what is full.
        """
        await self._require(store, content, run_id, root, files, sum(file.size_bytes for file in files))

    async def require_more(
        self, store: ArtifactStore, content: ContentStore, arrival: Arrival, size: int
    ) -> None:
        """Refuse bytes of a file on its way that come beside those that it announced. Raises ExhaustedError."""
        await self._require(store, content, arrival.run_id, arrival.place.root, (), size)

    async def _require(
        self,
        store: ArtifactStore,
        content: ContentStore,
        run_id: UUID,
        root: str,
        files: Sequence[FileSpec],
        size: int,
    ) -> None:
        room = await content.room()
        has_quotas = bool(self.run_bytes or self.experiment_bytes or self.total_bytes)
        if size <= 0 or (room is None and not has_quotas):
            return
        usage = await store.usage(
            run_id, root, files, stored=has_quotas, of_experiment=bool(self.experiment_bytes)
        )
        new = max(0, size - usage.same_announced_bytes)
        if not new:
            return
        if room is not None:
            to_come = max(0, usage.root_announced_bytes - room.held_bytes)
            _require(new, room.free_bytes - to_come, "the disk of the artifacts")
        if self.run_bytes:
            _require(new, self.run_bytes - usage.run_bytes, f"the quota of run {run_id.hex}")
        if self.experiment_bytes:
            left = self.experiment_bytes - usage.experiment_bytes
            _require(new, left, f"the quota of the experiment of run {run_id.hex}")
        if self.total_bytes:
            left = self.total_bytes - usage.total_bytes - usage.announced_bytes
            _require(new, left, "the quota of all artifacts")


def _require(wanted: int, left: int, what: str) -> None:
    if wanted > left:
        raise ExhaustedError(
            f"{wanted:,} bytes are announced, but {what} has only {max(0, left):,} left, with what others have "
            "announced counted; delete something, or ask who runs the server for more",
            None,
        )
