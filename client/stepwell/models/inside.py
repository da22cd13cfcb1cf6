"""Paths that a model's description names: they stay in the model's folder, whoever wrote them."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stepwell.errors import StepwellException, invalid
from stepwell.files import paths


def check_links(folder: Path) -> None:
    """Refuse a folder with symbolic links that lead out of it.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE, with the link and where it leads.
    """
    root = folder.resolve()
    for around, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(around, name)
            if path.is_symlink() and not path.resolve().is_relative_to(root):
                raise invalid(
                    f"The model has a symbolic link that leaves its folder: {path.relative_to(folder)} leads to "
                    f"{path.resolve()}. Models hold copies."
                )


def path_inside(folder: Path, value: object, field: str, *, must_exist: bool = True) -> Path:
    """Return the path of what a field names, relative to the model's folder.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE when it is absolute or leads out of the folder;
            RESOURCE_DOES_NOT_EXIST when nothing is there.
    """
    if value in (".", "./"):
        return folder
    text = str(value).removeprefix("./").rstrip("/")
    try:
        target = folder / paths.check_path(text, f"path in `{field}`")
    except StepwellException as failure:
        raise invalid(
            f"The model's description names a path that no model may have. {failure.message}"
        ) from None
    if not target.resolve().is_relative_to(folder.resolve()):
        raise invalid(f"`{field}` of the model's description is {text!r}, which leaves the model's folder.")
    if must_exist and not target.exists():
        raise StepwellException(
            f"`{field}` of the model's description is {text!r}, but the model has no such file or folder.",
            "RESOURCE_DOES_NOT_EXIST",
        )
    return target


def named(config: Mapping[str, Any], field: str, folder: Path) -> Path | None:
    """Return the path that a field of a flavor names; None where it names none."""
    value = config.get(field)
    return None if value in (None, "") else path_inside(folder, value, field)
