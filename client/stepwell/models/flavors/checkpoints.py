"""Checkpoints that autolog left in a run's artifacts: below `checkpoints/`, the last of them named by a tag."""

import posixpath
from typing import Any

from stepwell import values
from stepwell.client import StepwellClient
from stepwell.errors import StepwellException, invalid
from stepwell.runs import active

FOLDER = "checkpoints"
LATEST_TAG = "mlflow.latest_checkpoint_artifact"


def fetch(run_id: str | None, epoch: int | None, global_step: int | None, folder: str) -> str:
    """Fetch a checkpoint of a run (the active one if none is named) into a local folder, and return its path.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE for two ways to name one; RESOURCE_DOES_NOT_EXIST when the run has no
            checkpoint, or not that one.
    """
    if epoch is not None and global_step is not None:
        raise invalid("Only one of 'epoch' and 'global_step' can be set for 'load_checkpoint'.")
    client = StepwellClient()
    run = client.get_run(_run_id(run_id))
    latest: Any = run.data.tags.get(LATEST_TAG)
    if latest is None:
        raise StepwellException(
            f"There is no logged checkpoint artifact in run {run.info.run_id}: it has no tag {LATEST_TAG}.",
            "RESOURCE_DOES_NOT_EXIST",
        )
    path = latest
    if epoch is not None:
        path = f"{FOLDER}/epoch_{epoch}/{posixpath.basename(latest)}"
    if global_step is not None:
        path = f"{FOLDER}/global_step_{global_step}/{posixpath.basename(latest)}"
    return client.download_artifacts(run.info.run_id, path, folder)


def _run_id(run_id: str | None) -> str:
    if run_id is not None:
        return values.to_run_id(run_id)
    run = active.active_run()
    if run is None:
        raise invalid("There is no active run, please provide the 'run_id' argument for 'load_checkpoint'.")
    return run.info.run_id
