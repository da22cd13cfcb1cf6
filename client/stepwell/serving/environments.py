"""Environments with what a model needs: made once for the same requirements, below a folder of the user's cache.

uv           by uv, which also brings the Python version that the model was saved with
virtualenv   by the venv module of this Python, and pip
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from logging import getLogger
from pathlib import Path

from stepwell import __version__, extras
from stepwell.errors import StepwellException
from stepwell.files.alone import alone
from stepwell.models import mlmodel
from stepwell.models.environment.files import PYTHON_ENV_FILE, REQUIREMENTS_FILE
from stepwell.models.environment.requirements import CONSTRAINTS_FILE

LOCAL, UV, VIRTUALENV = "local", "uv", "virtualenv"
MANAGERS = (LOCAL, UV, VIRTUALENV)
# Stepwell reads models without it.
_NOT_NEEDED = ("mlflow", "mlflow-skinny")

# A model's server needs no page, which a build from a checkout would make: that takes a Node.js and a minute.
_WITHOUT_PAGE = {"HATCH_BUILD_NO_HOOKS": "true"}

_log = getLogger("stepwell.serving")


def build(folder: Path, manager: str) -> Path:
    """Return the Python of an environment for a model, made if there is none yet.

    Raises:
        StepwellException: INVALID_STATE when what makes it is missing or fails.
    """
    python_version = _python_of(folder)
    lines = _lines(folder)
    place = _cache() / _fingerprint(folder, lines, manager, python_version)
    python = place / "bin" / "python"
    with alone(place):  # others who want the same wait for it
        if not (place / "complete").exists():
            _log.warning("Making an environment for the model in %s; this happens once.", place)
            shutil.rmtree(place, ignore_errors=True)
            (_by_uv if manager == UV else _by_venv)(place, python_version)
            _fill(manager, python, folder, lines)
            (place / "complete").touch()
    return python


def _fill(manager: str, python: Path, folder: Path, lines: Sequence[str]) -> None:
    """Install what a model and its server need."""
    with tempfile.TemporaryDirectory(prefix="stepwell-") as around:
        file = Path(around, REQUIREMENTS_FILE)
        file.write_text("\n".join([*lines, stepwell_requirement()]) + "\n", encoding="utf-8")
        if (folder / CONSTRAINTS_FILE).is_file():
            shutil.copyfile(folder / CONSTRAINTS_FILE, Path(around, CONSTRAINTS_FILE))
        _install(manager, python, file)


def stepwell_requirement() -> str:
    """Return the line that installs this Stepwell, from where it came, with what serving needs."""
    path, editable = extras.place_of_installation()
    if path is None:
        return f"stepwell[serving]=={__version__}"
    return f"{'-e ' if editable else ''}{path}[serving]"


def _python_of(folder: Path) -> str:
    file = folder / PYTHON_ENV_FILE
    said = mlmodel.yaml().safe_load(file.read_text(encoding="utf-8")) if file.is_file() else None
    return str((said or {}).get("python") or platform.python_version())


def _lines(folder: Path) -> list[str]:
    file = folder / REQUIREMENTS_FILE
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    return [it for it in lines if it.strip() and it.partition("==")[0].strip().lower() not in _NOT_NEEDED]


def _fingerprint(folder: Path, lines: Sequence[str], manager: str, python_version: str) -> str:
    file = folder / CONSTRAINTS_FILE
    constraints = file.read_text(encoding="utf-8") if file.is_file() else ""
    said = "\n".join([manager, python_version, stepwell_requirement(), __version__, *lines, constraints])
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stepwell" / "environments"


def _by_venv(place: Path, python_version: str) -> None:
    if python_version.split(".")[:2] != platform.python_version().split(".")[:2]:
        _log.warning(
            "The model was saved with Python %s; virtualenv makes an environment of this one, %s. --env-manager uv "
            "brings the other.",
            python_version,
            platform.python_version(),
        )
    _run([sys.executable, "-m", "venv", str(place)])


def _by_uv(place: Path, python_version: str) -> None:
    _run([_uv(), "venv", "--quiet", "--python", python_version, str(place)])


def _install(manager: str, python: Path, file: Path) -> None:
    if manager == UV:
        _run([_uv(), "pip", "install", "--quiet", "--python", str(python), "-r", str(file)])
    else:
        _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(file)])


def _uv() -> str:
    try:
        from uv import find_uv_bin
    except ModuleNotFoundError:
        found = shutil.which("uv")
    else:
        found = find_uv_bin()
    if found is None:
        raise StepwellException(
            "--env-manager uv needs uv, which is not found: pip install uv, or use virtualenv.",
            "INVALID_STATE",
        )
    return found


def _run(command: list[str]) -> None:
    done = subprocess.run(  # noqa: S603 - of this module
        command, capture_output=True, text=True, check=False, env={**os.environ, **_WITHOUT_PAGE}
    )
    if done.returncode:
        raise StepwellException(
            f"The environment of the model could not be made: {' '.join(command[:4])} … ended with {done.returncode}: "
            f"{done.stderr.strip()[-2_000:]}",
            "INVALID_STATE",
        )
