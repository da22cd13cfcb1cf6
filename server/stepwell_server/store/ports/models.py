"""What the services ask of the store of logged models.

All methods raise `UnavailableError` when the database cannot be reached. A model that is deleted is not there.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

from stepwell_server.model.logged_models import (
    LoggedModel,
    LoggedModelSpec,
    LoggedModelStatus,
    ModelOutput,
    RunModels,
    ShownModel,
)
from stepwell_server.model.runs import LifecycleStage
from stepwell_server.search.queries import LoggedModelSearch, RowPosition


class LoggedModelStore(Protocol):
    """Logged models."""

    async def create(self, spec: LoggedModelSpec, adopted_folder: str | None = None) -> bool:
        """Create a model, PENDING, and tell whether it was created: a repeat changes nothing.

        With `adopted_folder`, it is READY, and its files are those that its source run has in that folder; nothing is
        created where there is no model in it.

        Raises:
            NotFoundError: there is no such experiment; or none is named, and there is no such run.
            InvalidStateError: the experiment is deleted.
            InvalidArgumentError: the id is that of a run.
        """
        ...

    async def get(self, model_id: UUID) -> LoggedModel:
        """Return a model. Raises NotFoundError."""
        ...

    async def set_status(self, model_id: UUID, status: LoggedModelStatus, message: str) -> None:
        """Note how far a model is; its source run shows its files from then on, or no more. Raises NotFoundError."""
        ...

    async def log_params(self, model_id: UUID, params: Mapping[str, str]) -> None:
        """Add params, all of them or none.

        Raises:
            NotFoundError: there is no such model.
            InvalidArgumentError: one would change, or they would be too many.
        """
        ...

    async def set_tags(self, model_id: UUID, tags: Mapping[str, str]) -> None:
        """Set tags over what is there. Raises NotFoundError."""
        ...

    async def delete_tag(self, model_id: UUID, key: str) -> None:
        """Remove a tag. Raises NotFoundError when there is no such model, or no such tag."""
        ...

    async def set_stage(self, model_id: UUID, stage: LifecycleStage) -> None:
        """Delete or restore a model; its source run shows the newest one that is there. A repeat changes nothing.

        Raises:
            NotFoundError: there is none, not even a deleted one.
            InvalidStateError: it is being removed for good; or it is to be deleted, and versions of registered models
                need its files.
        """
        ...

    async def shown_in(self, run_id: UUID, path: str) -> ShownModel | None:
        """Return the model which a run shows at a path, the model's name or below it; None if there is none."""
        ...

    async def search(self, search: LoggedModelSearch) -> Sequence[tuple[LoggedModel, RowPosition]]:
        """Return a page of models, each with where it stands. Raises BadPatternError."""
        ...

    async def link(self, run_id: UUID, outputs: Sequence[ModelOutput], inputs: Sequence[UUID]) -> None:
        """Note models that a run made, at which steps, and models that it used.

        Raises:
            NotFoundError: there is no such run or model; nothing is noted.
            InvalidStateError: the run is deleted.
        """
        ...

    async def models_of_runs(self, run_ids: Sequence[UUID]) -> Mapping[UUID, RunModels]:
        """Return the models of runs; those without any are left out."""
        ...
