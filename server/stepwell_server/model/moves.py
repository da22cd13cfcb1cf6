"""The values of moves: artifacts of an experiment that go from one place to another."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from stepwell_server.model.artifacts import OpenUpload, StoredContent
from stepwell_server.model.logged_models import model_name


@dataclass(frozen=True, slots=True)
class Owner:
    """A run or a logged model, whose artifacts these are."""

    owner_id: UUID
    is_model: bool

    @property
    def name(self) -> str:
        """Its id as it is written."""
        return model_name(self.owner_id) if self.is_model else self.owner_id.hex


@dataclass(frozen=True, slots=True)
class Misplaced:
    """An artifact whose content is elsewhere than it ought to be."""

    path: str
    content: StoredContent


@dataclass(frozen=True, slots=True)
class Copied:
    """Paths of one owner whose content is in the new place, too: uploaded, or (None) it was there already."""

    paths: Sequence[str]
    content: StoredContent
    upload: OpenUpload | None


@dataclass(frozen=True, slots=True)
class Unmoved:
    """Content that stays where it is, an artifact that shows it, and why."""

    problem: str
    content: StoredContent
    owner: Owner
    path: str


@dataclass(frozen=True, slots=True)
class MoveProgress:
    """How far a move to the root `place` is, in artifacts and bytes, and what was left since this was last said.

    `open_uploads` is known at the end: uploads that go elsewhere still.
    """

    place: str
    total_count: int
    total_bytes: int
    moved_count: int = 0
    moved_bytes: int = 0
    left: Sequence[Unmoved] = ()
    open_uploads: int = 0
