"""Files that go along with a model and that its library does not read: a vocabulary, a licence."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stepwell.errors import invalid
from stepwell.models import places
from stepwell.models.inside import path_inside


def write(given: Sequence[Any], folder: Path, name: str) -> list[dict[str, str]]:
    """Copy files into a folder `name` of a model; returns what MLmodel says of them: their paths in it.

    Args:
        given: paths or URIs, as `places.local_path` takes them.
        folder: of the model.
        name: of the option, and of the folder.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE for what is no list, or two files of one name;
            RESOURCE_DOES_NOT_EXIST when nothing is there.
    """
    said = []
    for place in given:
        source = places.local_path(place)
        target = folder / name / source.resolve().name
        if target.exists():
            raise invalid(f"{name}: two of them have the name {target.name!r}.")
        target.parent.mkdir(exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copyfile(source, target)
        said.append({"path": f"{name}/{target.name}"})
    return said


def check(said: Any, folder: Path, name: str) -> None:
    """Check what MLmodel says of such files. Raises StepwellException as `inside.path_inside`."""
    for entry in said if isinstance(said, list) else ():
        path_inside(folder, entry.get("path") if isinstance(entry, dict) else entry, name, must_exist=False)
