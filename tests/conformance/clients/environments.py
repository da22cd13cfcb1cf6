"""Environments of the clients that are tested: made when first asked for, kept below .venv-clients/.

Each has what its file in requirements/ names, and this package as it is in the tree.
"""

import fcntl
import hashlib
import json
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / ".venv-clients"
REQUIREMENTS = Path(__file__).parent / "requirements"
INSTALL_S = 1_800


@cache
def python_of(name: str) -> Path:
    """Return the Python of an environment, made if it is not there or its requirements have changed."""
    FOLDER.mkdir(exist_ok=True)
    place = FOLDER / name
    with (FOLDER / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made_of = place / "made-of"
        wanted = _fingerprint(name)
        if not made_of.exists() or made_of.read_text() != wanted:
            _make(place, name)
            made_of.write_text(wanted)
    return place / "bin" / "python"


def _fingerprint(name: str) -> str:
    """What an environment depends on: its requirements, our dependencies and entry points, the Python."""
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = ours["optional-dependencies"]["mlflow"]
    parts = (sys.version, ours["dependencies"], extras, ours["entry-points"])
    text = (REQUIREMENTS / f"{name}.txt").read_text() + json.dumps(parts)
    return hashlib.sha256(text.encode()).hexdigest()


def _make(place: Path, name: str) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True, timeout=INSTALL_S)
    command = [place / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*command, "-r", str(REQUIREMENTS / f"{name}.txt"), "-e", f"{ROOT}[mlflow]"],
        check=True,
        timeout=INSTALL_S,
    )
