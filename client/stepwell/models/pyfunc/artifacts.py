"""Files that a PythonModel needs: copied into its folder, and found there by name."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stepwell.errors import invalid
from stepwell.models import inside, places

FOLDER = "artifacts"


def copy(given: Mapping[str, Any], folder: Path) -> dict[str, dict[str, str]]:
    """Copy artifacts into a model's folder; return what MLmodel says of them: path and origin by name."""
    found: dict[str, dict[str, str]] = {}
    taken: set[str] = set()
    for name, path in local(given).items():
        source = Path(path)
        # Two files of one name lie apart, below the names that the user gave them.
        place = source.name if source.name not in taken else f"{name}/{source.name}"
        taken.add(place)
        target = inside.path_inside(folder, f"{FOLDER}/{place}", f"artifacts {name!r}", must_exist=False)
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copyfile(source, target)
        found[name] = {"path": f"{FOLDER}/{place}", "uri": str(given[name])}
    return found


def local(given: Mapping[str, Any]) -> dict[str, str]:
    """Return local paths of artifacts by name; those of runs are fetched.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE for something else than names and URIs; RESOURCE_DOES_NOT_EXIST.
    """
    if not all(isinstance(name, str) and name for name in given):
        raise invalid(f"artifacts must be a dict of names and URIs, not {given!r}.")
    return {name: str(places.local_path(uri).resolve()) for name, uri in given.items()}


def paths(config: Any, folder: Path) -> dict[str, str]:
    """Return the absolute paths of a saved model's artifacts by name."""
    return {
        str(name): str(inside.path_inside(folder, it["path"], f"artifacts {name!r}").resolve())
        for name, it in (config or {}).items()
    }
