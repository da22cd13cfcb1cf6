"""State dicts of PyTorch: weights by name in a file state_dict.pth, which is read without executing anything."""

import tempfile
from pathlib import Path
from typing import Any

from stepwell import settings
from stepwell.errors import StepwellException, short
from stepwell.models import pickles, places
from stepwell.models.flavors.torch_files import torch

FILE = "state_dict.pth"


@short
def save_state_dict(state_dict: Any, path: Any, **keywords: Any) -> None:
    """Save a state dict into a local folder; keywords go to torch.save. TypeError for what is no dict."""
    if not isinstance(state_dict, dict):
        raise TypeError(
            f"state_dict must be a dict, as module.state_dict() returns it, not {type(state_dict).__name__}."
        )
    folder = settings.local_folder(path, "path")
    folder.mkdir(parents=True, exist_ok=True)
    torch().save(state_dict, folder / FILE, **keywords)


@short
def log_state_dict(state_dict: Any, artifact_path: str, **keywords: Any) -> None:
    """Log a state dict into a folder of the active run's artifacts; keywords go to torch.save."""
    from stepwell.client import StepwellClient
    from stepwell.runs import active

    with tempfile.TemporaryDirectory(prefix="stepwell-") as folder:
        save_state_dict(state_dict, folder, **keywords)
        run = active.active_run() or active.start_run()
        StepwellClient().log_artifacts(run.info.run_id, folder, artifact_path)


@short
def load_state_dict(state_dict_uri: Any, **keywords: Any) -> Any:
    """Return the state dict of a local folder or a URI of artifacts; keywords go to torch.load.

    Raises:
        StepwellException: RESOURCE_DOES_NOT_EXIST when there is none; PERMISSION_DENIED when the keywords ask for a
            pickle (weights_only=False) and STEPWELL_ALLOW_PICKLE is false.
    """
    file = Path(places.local_folder(state_dict_uri)) / FILE
    if not file.is_file():
        raise StepwellException(f"There is no {FILE} in {state_dict_uri!r}.", "RESOURCE_DOES_NOT_EXIST")
    if not keywords.setdefault("weights_only", True):
        pickles.check_allowed(file)
    if not torch().cuda.is_available():
        keywords.setdefault("map_location", "cpu")
    return torch().load(file, **keywords)
