"""What a move of artifacts asks of PostgreSQL. An owner is a run or a logged model."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from stepwell_server.model.moves import Copied, Misplaced, Owner


class MoveStore(Protocol):
    """Where the artifacts of experiments are, and where they ought to be. Raises UnavailableError."""

    async def count_elsewhere(self, experiment_id: int, root: str) -> tuple[int, int]:
        """Return how many artifacts are not below a root, and their bytes. Raises NotFoundError: no such experiment."""
        ...

    async def count_uploads(self, experiment_id: int, root: str) -> int:
        """Return how many open uploads of an experiment go elsewhere than below a root."""
        ...

    async def relocate(self, experiment_id: int, location: str) -> None:
        """Let new artifacts of an experiment go to a location; an empty one is the server's own place.

        Raises:
            NotFoundError: there is no such experiment.
        """
        ...

    async def owners(self, experiment_id: int, root: str, after: UUID, count_max: int) -> Sequence[Owner]:
        """Return the next owners, in order of their ids, that show content which is not below a root."""
        ...

    async def elsewhere(self, owner_id: UUID, root: str, after: str, count_max: int) -> Sequence[Misplaced]:
        """Return the next of their artifacts, in order of their paths, whose content is not below a root."""
        ...

    async def show_instead(self, owner_id: UUID, root: str, copied: Sequence[Copied]) -> None:
        """Let paths show the copies below a root, in one transaction; the old contents are garbage if unused.

        Paths that show something else by now stay as they are. Uploads that are not open any more are passed over.
        """
        ...
