"""A model that is loaded beside other versions than it was saved with: a warning, once a load."""

import platform
import re
from logging import getLogger
from pathlib import Path

from stepwell.models.environment import distributions
from stepwell.models.environment.files import REQUIREMENTS_FILE

REQUIREMENTS_BYTES_MAX = 2**20

_PIN = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(\[[^\]]*\])?\s*==\s*(?P<version>[^\s;,]+)")
# Stepwell reads models without it.
_NOT_NEEDED = ("mlflow", "mlflow-skinny")

_log = getLogger("stepwell")


def warn(folder: Path, python_version: str | None = None) -> None:
    """Say which requirements of a model are not what is installed."""
    found = mismatches(folder)
    here = platform.python_version()
    if python_version and str(python_version).split(".")[:2] != here.split(".")[:2]:
        found.insert(0, f"Python {python_version} (here: {here})")
    if found:
        _log.warning(
            "The model was saved with other versions than are installed, and may not load or predict otherwise: %s. "
            "Its %s says what it needs.",
            ", ".join(found),
            REQUIREMENTS_FILE,
        )


def mismatches(folder: Path) -> list[str]:
    """Return "name version (here: version)" of each pinned requirement that is not met; empty if all are."""
    file = folder / REQUIREMENTS_FILE
    if not file.is_file() or file.stat().st_size > REQUIREMENTS_BYTES_MAX:
        return []
    found = []
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        pin = _PIN.match(line.strip())
        if pin is None or pin["name"].lower() in _NOT_NEEDED:
            continue
        wanted, here = pin["version"].partition("+")[0], distributions.installed_version(pin["name"])
        if here != wanted and not wanted.endswith("*"):
            found.append(f"{pin['name']} {wanted} (here: {here or 'not installed'})")
    return found
