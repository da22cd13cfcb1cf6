"""From a folder to a model in memory: what flavors share."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stepwell.models import inside, mlmodel, places
from stepwell.models.environment import mismatches
from stepwell.models.flavor import Flavor
from stepwell.models.mlmodel import PYFUNC, Model


def opened(model_uri: Any, dst_path: str | None = None) -> tuple[Path, Model]:
    """Return the local folder of a model, checked, and its description.

    Raises:
        StepwellException: RESOURCE_DOES_NOT_EXIST when it is not there; INVALID_PARAMETER_VALUE when its description
            is damaged or it has links that lead out of it.
    """
    folder = places.local_folder(model_uri, dst_path)
    model = mlmodel.read(folder)
    folder = folder if folder.is_dir() else folder.parent
    inside.check_links(folder)
    return folder, model


def load_native(flavor: type[Flavor], model_uri: Any, dst_path: str | None = None, **options: Any) -> Any:
    """Return the library's own object of a model; raises as `opened`, and when it is of another library."""
    folder, model = opened(model_uri, dst_path)
    config = model.flavor(flavor.name)
    prepare(folder, model, config)
    return flavor.load(folder, config, **options)


def prepare(folder: Path, model: Model, config: Mapping[str, Any], *, quiet: bool = False) -> None:
    """Let the model's own code be found, and say where the installed versions are others."""
    pyfunc = model.flavors.get(PYFUNC) or {}
    code = inside.named(config, "code", folder) or inside.named(pyfunc, "code", folder)
    if code is not None and str(code.resolve()) not in sys.path:
        sys.path.insert(0, str(code.resolve()))
    if not quiet:
        mismatches.warn(folder, pyfunc.get("python_version"))
